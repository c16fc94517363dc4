// SPDX-License-Identifier: BSL-1.0

// What stands in for std::atomic, std::mutex and thread_local in the copy of the library's headers that
// instrument.cmake makes.

#pragma once

#include "explorer.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace preemption {

inline bool acquires(std::memory_order order) noexcept {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}
inline bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// Whether an object is there. Freed memory is overwritten, so that this is wrong in it.
class existence {
 public:
  constexpr existence() = default;
  ~existence() { mark_ = 0; }
  void check(place where) const noexcept {
    if (mark_ != alive) {
      fail("used after it was destroyed", where);
    }
  }

 private:
  static constexpr std::uint32_t alive = 0x600df00d;
  volatile std::uint32_t mark_ = alive;
};

template <class T>
class atomic {
 public:
  constexpr atomic() noexcept = default;
  constexpr atomic(T value) noexcept : value_(value) {}
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst, place where = place::current()) const noexcept {
    before(operation::load, where);
    read(order);
    return shown(value_);
  }
  void store(
      T value, std::memory_order order = std::memory_order_seq_cst, place where = place::current()) noexcept {
    before(operation::store, where);
    released_ = {};
    write(order);
    value_ = shown(value);
    after(order);
  }
  T exchange(
      T value, std::memory_order order = std::memory_order_seq_cst, place where = place::current()) noexcept {
    return modify(operation::exchange, order, where, [&](T) { return value; });
  }
  bool compare_exchange_strong(
      T& expected, T value, std::memory_order order, std::memory_order otherwise,
      place where = place::current()) noexcept {
    before(operation::compare, where);
    if (value_ != expected) {
      read(otherwise);
      expected = shown(value_);
      return false;
    }
    read(order);
    write(order);
    value_ = shown(value);
    after(order);
    return true;
  }
  // Never fails for nothing: that would only be once more round the loop.
  bool compare_exchange_weak(
      T& expected, T value, std::memory_order order, std::memory_order otherwise,
      place where = place::current()) noexcept {
    return compare_exchange_strong(expected, value, order, otherwise, where);
  }
  T fetch_add(
      T by, std::memory_order order = std::memory_order_seq_cst, place where = place::current()) noexcept {
    return modify(operation::add, order, where, [&](T old) { return static_cast<T>(old + by); });
  }
  T fetch_sub(
      T by, std::memory_order order = std::memory_order_seq_cst, place where = place::current()) noexcept {
    return modify(operation::add, order, where, [&](T old) { return static_cast<T>(old - by); });
  }
  T fetch_or(
      T bits, std::memory_order order = std::memory_order_seq_cst, place where = place::current()) noexcept {
    return modify(operation::exchange, order, where, [&](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(
      T bits, std::memory_order order = std::memory_order_seq_cst, place where = place::current()) noexcept {
    return modify(operation::exchange, order, where, [&](T old) { return static_cast<T>(old & bits); });
  }
  T operator++() noexcept { return static_cast<T>(fetch_add(1) + 1); }
  T operator=(T value) noexcept {
    store(value);
    return value;
  }
  operator T() const noexcept { return load(); }

 private:
  static T shown(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) {
      result(reinterpret_cast<std::uintptr_t>(value));
    } else if constexpr (std::is_class_v<T>) {
      result(std::bit_cast<std::uint64_t>(value));
    } else {
      result(static_cast<std::uint64_t>(value));
    }
    return value;
  }
  void before(operation what, place where) const noexcept {
    exists_.check(where);
    point(what, this, where);
    exists_.check(where); // it may have been destroyed while this thread stood here
  }
  void read(std::memory_order order) const noexcept {
    if (acquires(order)) {
      clock().join(released_);
    }
  }
  // What was released before stays so: a read-modify-write continues a release sequence.
  void write(std::memory_order order) noexcept {
    if (releases(order)) {
      release(released_);
    }
    changed();
  }
  static void after(std::memory_order order) noexcept {
    if (releases(order)) {
      published();
    }
  }
  template <class Change>
  T modify(operation what, std::memory_order order, place where, Change change) noexcept {
    before(what, where);
    read(order);
    write(order);
    T old = shown(value_);
    value_ = change(old);
    after(order);
    return old;
  }

  T value_{};
  vector_clock released_;
  existence exists_;
};

class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
  ~mutex() { expect(!locked_, "a mutex is destroyed while it is locked"); }

  void lock(place where = place::current()) noexcept {
    exists_.check(where);
    point(operation::lock, this, where, [](const void* self) noexcept {
      return !static_cast<const mutex*>(self)->locked_;
    });
    exists_.check(where);
    expect(!locked_, "a mutex is locked twice", where); // by the one who sets up
    take();
  }
  bool try_lock(place where = place::current()) noexcept {
    exists_.check(where);
    point(operation::try_lock, this, where);
    exists_.check(where);
    result(!locked_);
    if (locked_) {
      return false;
    }
    take();
    return true;
  }
  void unlock(place where = place::current()) noexcept {
    exists_.check(where);
    point(operation::unlock, this, where);
    exists_.check(where);
    expect(locked_ && owner_ == current_thread(), "a mutex is unlocked by another than locked it", where);
    release(released_);
    locked_ = false;
    changed();
    published();
  }

 private:
  void take() noexcept {
    locked_ = true;
    owner_ = current_thread();
    clock().join(released_);
    changed();
  }

  bool locked_ = false;
  int owner_ = 0;
  vector_clock released_;
  existence exists_;
};

// Who waits asks again and again.
struct condition {
  void notify_all() noexcept {}
  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate is_due) noexcept {
    while (!is_due()) {
      lock.unlock();
      yield();
      lock.lock();
    }
  }
  template <class Lock, class Time, class Predicate>
  void wait_for(Lock& lock, Time, Predicate is_due) noexcept {
    wait(lock, is_due);
  }
};

class shared_mutex {
 public:
  constexpr shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

  void lock(place where = place::current()) noexcept {
    writer_.lock(where);
    point(operation::lock, this, where, [](const void* self) noexcept {
      return static_cast<const shared_mutex*>(self)->readers_ == 0;
    });
    clock().join(released_);
  }
  void unlock(place where = place::current()) noexcept { writer_.unlock(where); }
  void lock_shared(place where = place::current()) noexcept {
    writer_.lock(where);
    ++readers_;
    writer_.unlock(where);
  }
  void unlock_shared(place where = place::current()) noexcept {
    point(operation::unlock, this, where);
    expect(readers_ != 0, "a mutex is unlocked that is not locked", where);
    release(released_);
    --readers_;
    changed();
    published();
  }

 private:
  mutex writer_;
  int readers_ = 0;
  vector_clock released_;
};

// What no scenario is about, so that it need not be explored.
template <class T>
using unexplored = std::atomic<T>;

// A thread_local without constructor and destructor.
template <class T>
class per_thread {
 public:
  operator T&() noexcept { return of_[static_cast<std::size_t>(current_thread())]; }
  T* operator->() noexcept { return &static_cast<T&>(*this); }
  std::array<T, most_threads + 1>& all() noexcept { return of_; }

 private:
  std::array<T, most_threads + 1> of_{};
};

// Plain memory, such as a message. Whoever touches it must have seen what the others did to it before.
template <class T>
class cell {
 public:
  constexpr cell() = default;
  cell(T value) : value_(std::move(value)) { note(written_); }
  cell(cell&& other) noexcept : value_(std::move(other).take()) { note(written_); }
  cell& operator=(cell&&) = delete;
  ~cell() { check_write("destroyed by one who has not seen the last use of it", place::current()); }

  const T& read(place where = place::current()) const noexcept {
    exists_.check(where);
    expect(clock().covers(written_), "read by one who has not seen it written", where);
    note(read_);
    return value_;
  }
  T& write(place where = place::current()) noexcept {
    check_write("written by one who has not seen the last use of it", where);
    note(written_);
    return value_;
  }
  T take(place where = place::current()) && noexcept { return std::move(write(where)); }

 private:
  void check_write(const char* otherwise, place where) const noexcept {
    exists_.check(where);
    expect(clock().covers(written_) && clock().covers(read_), otherwise, where);
  }
  static void note(vector_clock& of) noexcept { of[current_thread()] = clock()[current_thread()]; }

  T value_{};
  vector_clock written_;
  mutable vector_clock read_;
  existence exists_;
};

// Something that is waited for, once for each time that it happens. Another thread may not let it happen
// twice before it was waited for.
class event {
 public:
  void set(place where = place::current()) noexcept {
    point(operation::store, this, where);
    expect(!is_set_, "woken twice", where);
    release(released_);
    is_set_ = true;
    changed();
    published();
  }
  void wait(place where = place::current()) noexcept {
    point(operation::wait, this, where, [](const void* self) noexcept {
      return static_cast<const event*>(self)->is_set_;
    });
    clock().join(released_);
    is_set_ = false;
    changed();
  }

 private:
  bool is_set_ = false;
  vector_clock released_;
};

// Whether the library's cache of memory is in use.
inline bool keeps_freed_blocks = false;

// Not a point: the loops that pause look at an atomic each time round, and end by themselves.
inline void pause() noexcept {}

} // namespace preemption
