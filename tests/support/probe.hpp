// SPDX-License-Identifier: BSL-1.0

// What the tests of lifetimes, errors and threads share.
#pragma once

#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>

#include <asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

// One unit of a count, for as long as it lives: as a member of states, messages and coroutine frames it
// shows what is left behind, and what is destroyed twice.
class counted_in {
 public:
  explicit counted_in(std::atomic<int>& count) noexcept : count_(&count) { ++*count_; }
  counted_in(const counted_in& other) noexcept : count_(other.count_) { ++*count_; }
  counted_in& operator=(const counted_in&) = delete;
  ~counted_in() { --*count_; }

 private:
  std::atomic<int>* count_;
};

// How an operation ended: how often its completion came, and with what.
struct ending {
  std::atomic<int> times{0};
  std::error_code code;
  otpp::exit_reason reason = otpp::exit_reason::normal();
  int value = 0;

  void write(std::exception_ptr error) {
    try {
      if (error) {
        std::rethrow_exception(error);
      }
    } catch (const otpp::error& e) {
      code = e.code();
      reason = e.reason();
    } catch (const std::system_error& e) {
      code = e.code();
    } catch (const std::exception&) {
      code = std::make_error_code(std::errc::interrupted); // which nothing here reports
    }
    ++times;
  }
};

inline std::error_code code_of(std::exception_ptr error) {
  ending how;
  how.write(std::move(error));
  return how.code;
}

// A completion handler for operations whose end does not matter.
inline constexpr auto forget = [](std::exception_ptr, auto&&...) {};

// Runs whatever is ready on two contexts, until nothing is.
inline void settle(asio::io_context& a, asio::io_context& b) {
  std::size_t ran = 1;
  while (ran != 0) {
    a.restart();
    b.restart();
    ran = a.poll();
    ran += b.poll();
  }
}

inline void settle(asio::io_context& one) {
  one.restart();
  one.poll();
}

// Waits for other threads. False if what is waited for has not come after ten seconds.
template <class Predicate>
bool eventually(Predicate holds) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

// How much longer things take here than in a plain build.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || defined(OTPP_TESTS_ARE_SLOW)
inline constexpr int slowdown = 10;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr int slowdown = 10;
#else
inline constexpr int slowdown = 1;
#endif
#else
inline constexpr int slowdown = 1;
#endif

// The count of references in a std::exception_ptr is kept inside of libstdc++.so, where ThreadSanitizer
// does not see it: an exception that one thread reads and another lets go of last is reported as a race.
// Nothing else is suppressed.
#if defined(__SANITIZE_THREAD__)
extern "C" __attribute__((used)) inline const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif
