// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/sys/describe_processes.hpp>
#include <otpp/timeout.hpp>

#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/system_executor.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Prints what lives if a program does not end in time. run() owns it, and ends it before it returns.
//
// state     event                                     to
// idle      a signal, or told_to_end()                armed: the clock runs
// armed     the time is over                          printed
// any       end(), by the thread of run()             ended: neither the signals nor the timer are there any more
//
// It runs on the system executor, because the program's own thread may be what does not go on. A handler that has begun
// when run() returns touches only this object, which it keeps.
class end_report : public std::enable_shared_from_this<end_report> {
 public:
  explicit end_report(duration after) : after_(after) {}

  void begin() {
    std::lock_guard lock(mutex_);
    signals_.emplace(asio::system_executor(), SIGINT, SIGTERM);
    signals_->async_wait([self = shared_from_this()](std::error_code error, int) {
      if (!error) {
        self->told_to_end();
      }
    });
  }

  void told_to_end() noexcept {
    std::lock_guard lock(mutex_);
    if (!signals_ || timer_) {
      return; // ended, or armed already
    }
    try {
      timer_.emplace(asio::system_executor(), after_);
      timer_->async_wait([self = shared_from_this()](std::error_code error) {
        if (!error) {
          self->print();
        }
      });
    } catch (...) {
      timer_.reset(); // without memory there is no report, and the program ends all the same
    }
  }

  void body_has_returned() noexcept {
    {
      std::lock_guard lock(mutex_);
      has_body_ = false;
    }
    told_to_end();
  }

  void end() noexcept {
    std::lock_guard lock(mutex_);
    timer_.reset();
    signals_.reset();
  }

 private:
  void print() noexcept {
    bool has_body = false;
    {
      std::lock_guard lock(mutex_);
      if (!timer_) {
        return;
      }
      has_body = has_body_;
    }
    try {
      std::string what = describe_processes();
      std::fprintf(
          stderr, "otpp: the program was told to end %.1f s ago, and has not; %s\n%s",
          std::chrono::duration<double>(after_).count(),
          has_body ? "its coroutine has not returned, and these live:" : "these live:", what.c_str());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "otpp: the program does not end: %s\n", error.what());
    }
  }

  const duration after_;
  std::mutex mutex_;
  bool has_body_ = true;
  std::optional<asio::signal_set> signals_;
  std::optional<asio::steady_timer> timer_;
};

// An end_report while run() runs; none if nobody has asked for one.
class reporting_end {
 public:
  explicit reporting_end(std::optional<duration> after)
      : report_(after ? std::make_shared<end_report>(*after) : nullptr) {
    if (report_) {
      report_->begin();
    }
  }
  reporting_end(const reporting_end&) = delete;
  reporting_end& operator=(const reporting_end&) = delete;
  ~reporting_end() {
    if (report_) {
      report_->end();
    }
  }

  end_report* get() const noexcept { return report_.get(); }

 private:
  std::shared_ptr<end_report> report_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
