// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "town.hpp"

// Those who talk to the servers: one coroutine each, which does whatever the dice say.

struct client {
  // `is_alone`: its executor runs one function at a time, as Asio's cancellation wants it.
  client(town& t, place& p, asio::any_io_executor& on, bool is_alone, std::uint32_t n, std::uint64_t seed)
      : all(t),
        where(p),
        executor(on),
        alone(is_alone),
        sender(n),
        life(++t.lives),
        random(seed),
        routes(t.boxes.size()) {}

  asio::awaitable<void> live();

  town& all;
  place& where;
  asio::any_io_executor& executor; // the place's
  const bool alone;
  const std::uint32_t sender;
  const std::uint64_t life;

  // For the watchdog.
  std::atomic<const char*> doing{nullptr};
  std::atomic<std::uint32_t> at{0};
  std::atomic<int> outstanding{0};

  // What a completion handler has of it.
  struct pending {
    pending(client& c, const std::atomic<bool>& gone) : of(&c), guard(gone) {
      c.outstanding.fetch_add(1, std::memory_order_relaxed);
    }
    pending(pending&& other) noexcept : of(std::exchange(other.of, nullptr)), guard(std::move(other.guard)) {}
    pending& operator=(pending&&) = delete;
    ~pending() {
      if (of) {
        of->outstanding.fetch_sub(1, std::memory_order_relaxed);
      }
    }
    client* of;
    call_guard guard;
  };
  struct on_answer {
    void operator()(std::exception_ptr error, node::answer_type answer) {
      if (error) {
        mine.guard.fail(error, patience);
      } else {
        mine.guard.answer(answer, expected);
      }
    }
    pending mine;
    node::answer_type expected;
    otpp::duration patience;
  };

 private:
  asio::awaitable<void> burst(std::uint32_t slot, std::uint32_t size);
  asio::awaitable<void> cancel(std::uint32_t slot);
  asio::awaitable<void> look_for(std::uint32_t slot);
  asio::awaitable<void> end(std::uint32_t slot);
  asio::awaitable<void> start_here(std::uint32_t slot);
  asio::awaitable<void> roll_call();
  void start_somewhere(std::uint32_t slot);
  void call_many(std::uint32_t slot);
  template <class M>
  void call_back(route& to, header h, otpp::duration patience);
  template <class M, class Address>
  asio::awaitable<void> ask(Address to, otpp::duration patience, header h);
  template <class M>
  asio::awaitable<void> ask(std::uint32_t slot, otpp::duration patience);
  template <class M>
  asio::awaitable<void> ask_by_name(std::uint32_t slot);
  template <class M>
  bool try_to_cast(route& to);

  bool is_gone(std::uint32_t slot) {
    all.refresh(routes[slot], slot);
    return !routes[slot].ref || routes[slot].ref->has_ended();
  }
  void now(const char* what, std::uint32_t slot) noexcept {
    doing.store(what, std::memory_order_relaxed);
    at.store(slot, std::memory_order_relaxed);
  }
  otpp::duration short_patience() {
    std::uint32_t luck = random.below(16);
    return luck == 0   ? otpp::duration::zero()
           : luck == 1 ? otpp::duration(-1)
                       : otpp::duration(std::chrono::microseconds(1u << luck));
  }

  dice random;
  std::vector<route> routes;
  asio::cancellation_signal signal_;
};
