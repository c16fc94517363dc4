// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <csignal>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What the program does at a signal, as it was when this was made.
class signal_action {
 public:
  explicit signal_action(int number) noexcept : number_(number) {
#if defined(_WIN32)
    handler_ = std::signal(number, SIG_GET);
    if (std::signal(number, SIG_GET) == SIG_GET) { // Wine 8 takes it for a handler
      restore();
    }
#else
    ::sigaction(number, nullptr, &action_);
    handler_ = action_.sa_handler;
#endif
  }

  void restore() const noexcept {
#if defined(_WIN32)
    std::signal(number_, handler_);
#else
    ::sigaction(number_, &action_, nullptr);
#endif
  }

  bool is_default() const noexcept { return handler_ == SIG_DFL; }
  bool has_handler_of(const signal_action& other) const noexcept { return handler_ == other.handler_; }

 private:
  int number_;
  void (*handler_)(int);
#if !defined(_WIN32)
  struct sigaction action_{};
#endif
};

} // namespace otpp::detail

#pragma GCC visibility pop
