// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The receiver of reports of one type: a function set by the program; by default it prints one line on
// stderr.
template <class Report>
class hook {
 public:
  using function = std::function<void(const Report&)>;

  // Returns the previous function. An empty function restores the default.
  static function set(function next) {
    auto kept = next ? std::make_shared<const function>(std::move(next)) : nullptr;
    {
      hook& self = instance();
      std::lock_guard lock(self.mutex_);
      std::swap(self.function_, kept);
    }
    return kept ? *kept : function();
  }

  // Calls the function without holding the lock, so that it may set another. Swallows its exceptions, because
  // a report must not cause a further failure.
  static void tell(const Report& report) noexcept {
    try {
      std::shared_ptr<const function> listener;
      {
        hook& self = instance();
        std::lock_guard lock(self.mutex_);
        listener = self.function_;
      }
      if (listener) {
        (*listener)(report);
      } else if (!is_known(report)) {
        print(stderr, report);
      }
    } catch (...) {
    }
  }

  // A name in it may have a zero in the middle.
  static void print(std::FILE* to, const Report& report) {
    std::string line = report.text() + '\n';
    std::fwrite(line.data(), 1, line.size(), to);
  }

 private:
  hook() = default;

  // Returns true if a report of another type has said the same.
  static bool is_known(const Report& report) noexcept {
    if constexpr (requires { report.is_known; }) {
      return report.is_known;
    } else {
      return false;
    }
  }

  // Never destroyed: a server may crash while the program's static objects are being destroyed.
  static hook& instance() {
    static hook* made = new hook;
    return *made;
  }

  std::mutex mutex_;
  std::shared_ptr<const function> function_; // null: the default
};

} // namespace otpp::detail

#pragma GCC visibility pop
