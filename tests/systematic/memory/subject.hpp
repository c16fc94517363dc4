// SPDX-License-Identifier: BSL-1.0

// The server that the tests of failing memory talk to, and what they talk to it with.
#pragma once

#include "failing_memory.hpp"

#include <otpp/otpp.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

using failing_memory::arm;
using failing_memory::disarm;
using failing_memory::expect;
using failing_memory::fail_at_every_index;
using failing_memory::has_struck;

// An answer that might throw while it is moved, and so travels in a box.
struct clumsy {
  explicit clumsy(int number) : n(number) {}
  clumsy(clumsy&& other) noexcept(false) : n(other.n) {}
  clumsy& operator=(clumsy&&) = delete;
  int n;
};

// None of its plain handlers allocates, so that what fails there is never the server's own doing.
struct subject {
  struct get {
    using reply_type = int;
  };
  struct add {
    int n;
    using reply_type = int;
  };
  struct echo {
    std::string text;
    using reply_type = std::string;
  };
  struct boxed {
    using reply_type = clumsy;
  };
  struct later { // answered when it is released
    using reply_type = int;
  };
  struct set {
    std::string text; // longer than fits without the heap
    int n;
  };
  struct release {};
  struct bump {};

  struct state {
    int sum = 0;
    std::optional<otpp::caller<int>> waiting;
  };

  using messages = otpp::message_list<get, add, echo, boxed, later, set, release, bump>;

  state init(int start) {
    state made;
    made.sum = start;
    return made;
  }
  int handle_call(get, state& s) { return s.sum; }
  int handle_call(add request, state& s) { return s.sum += request.n; }
  std::string handle_call(echo request, state& s) {
    ++s.sum;
    return std::move(request.text);
  }
  clumsy handle_call(boxed, state& s) { return clumsy(++s.sum); }
  void handle_call(later, otpp::caller<int> from, state& s) {
    ++s.sum;
    s.waiting.emplace(std::move(from));
  }
  void handle_cast(set message, state& s) { s.sum = message.n; }
  void handle_cast(release, state& s) {
    if (s.waiting) {
      s.waiting->reply(s.sum);
    }
  }
  void handle_info(bump, state& s) { ++s.sum; }
};

using subject_ref = otpp::server_ref<subject>;

inline constexpr const char* long_text = "a text that is longer than what a string holds in itself";

inline bool is_bad_alloc(const std::exception_ptr& error) noexcept {
  try {
    if (error) {
      std::rethrow_exception(error);
    }
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
  }
  return false;
}

inline bool has_code(const std::exception_ptr& error, std::error_code code) noexcept {
  try {
    if (error) {
      std::rethrow_exception(error);
    }
  } catch (const std::system_error& e) {
    return e.code() == code;
  } catch (...) {
  }
  return false;
}

inline otpp::exit_reason reason_in(const std::exception_ptr& error) noexcept {
  try {
    if (error) {
      std::rethrow_exception(error);
    }
  } catch (const otpp::error& e) {
    return e.reason();
  } catch (...) {
  }
  return {};
}

// How an operation ended.
template <class R>
struct ended {
  std::optional<R> value;
  std::exception_ptr error;

  bool is_out_of_memory() const noexcept { return is_bad_alloc(error); }
};
template <>
struct ended<void> {
  std::exception_ptr error;

  bool is_out_of_memory() const noexcept { return is_bad_alloc(error); }
};

// Makes an operation and awaits it, with memory that may fail from the first step to the last.
template <class R, class Make>
asio::awaitable<ended<R>> await_armed(Make& make) {
  ended<R> how;
  try {
    arm();
    if constexpr (std::is_void_v<R>) {
      co_await make();
      disarm();
    } else {
      R value = co_await make();
      disarm();
      how.value.emplace(std::move(value));
    }
  } catch (...) {
    disarm();
    how.error = std::current_exception();
  }
  co_return how;
}

// Runs a coroutine to its end on a context of its own.
template <class Body>
void in_context(Body& body) {
  asio::io_context context;
  bool is_done = false;
  asio::co_spawn(context, body(), [&](std::exception_ptr error) {
    is_done = true;
    disarm();
    expect(!error, "the coroutine let an exception out");
  });
  context.run_for(std::chrono::seconds(3));
  disarm();
  expect(is_done, "the coroutine hangs");
  expect(context.stopped(), "work is left over");
}

// Keeps crash reports off stderr while it lives.
struct quiet {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
};

// Starts a subject, lets `act` talk to it, and asks whether the server is as `act` has left it: an awaitable
// of the sum that it must have.
template <class Act>
auto with_subject(Act act) {
  return [act] {
    auto body = [&act]() -> asio::awaitable<void> {
      subject_ref server = co_await otpp::start<subject>(0);
      int wanted = co_await act(server);
      disarm();
      int sum = co_await otpp::call_for<subject::get>(server, otpp::infinite);
      expect(sum == wanted, "the server's state is not what it should be");
      co_await server.stop();
    };
    in_context(body);
  };
}

// A context with a subject, for those who await nothing.
class world {
 public:
  explicit world(std::size_t mailbox_limit = 0) {
    auto body = [this, mailbox_limit]() -> asio::awaitable<void> {
      otpp::options how;
      how.mailbox_limit(mailbox_limit);
      subject_ref made = co_await otpp::start<subject>(how, 0);
      server_.emplace(made);
    };
    asio::co_spawn(context_, body(), [](std::exception_ptr) {});
    run();
  }

  asio::io_context& context() { return context_; }
  const subject_ref& server() const { return *server_; }

  void run() {
    context_.restart();
    context_.run_for(std::chrono::seconds(3));
    expect(context_.stopped(), "work is left over");
  }

  int ask() {
    disarm();
    int times = 0;
    int sum = -1;
    otpp::call_for<subject::get>(*server_, otpp::infinite, [&](std::exception_ptr error, int value) {
      ++times;
      sum = error ? -1 : value;
    });
    run();
    expect(times == 1 && sum != -1, "the server answers no more");
    return sum;
  }

 private:
  asio::io_context context_;
  std::optional<subject_ref> server_;
};

// What a completion handler was called with, and how often.
template <class R>
class tally {
 public:
  auto handler() {
    return [this](std::exception_ptr error, auto&&... value) {
      ++times_;
      error_ = error;
      if (!error) {
        (value_.emplace(std::move(value)), ...);
      }
    };
  }

  // Runs `begin`, which starts the operation. What it throws must be std::bad_alloc.
  template <class Begin>
  void begin_armed(Begin begin) {
    arm();
    try {
      begin();
    } catch (const std::bad_alloc&) {
      was_refused_ = true;
    }
  }

  // It ended exactly once, one way or the other.
  void check() const {
    expect(times_ + (was_refused_ ? 1 : 0) == 1, "the operation did not end exactly once");
    expect(!was_refused_ || has_struck(), "it was refused without a reason");
  }

  bool is_over() const { return times_ != 0 || was_refused_; }
  bool was_refused() const { return was_refused_; }
  bool is_out_of_memory() const { return was_refused_ || is_bad_alloc(error_); }
  const std::exception_ptr& error() const { return error_; }
  const std::optional<R>& value() const { return value_; }

 private:
  int times_ = 0;
  bool was_refused_ = false;
  std::exception_ptr error_;
  std::optional<R> value_;
};

struct nothing {}; // the value of an operation that has none

// How many allocations a scenario has: said on stdout if OTPP_MEMORY_REPORT is set.
inline void tell(const char* scenario, long count) {
  static long sum = 0;
  sum += count;
  if (std::getenv("OTPP_MEMORY_REPORT")) {
    std::printf("%-60s %5ld   sum %6ld\n", scenario, count, sum);
  }
}
