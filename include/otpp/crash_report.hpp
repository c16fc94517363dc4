// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/exit_reason.hpp>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace otpp {

/// What is said of a server that ended with an unclean reason. OTP's crash report.
struct crash_report {
  std::string_view name;      ///< The name it was started with; empty if it has none.
  std::string_view callbacks; ///< The callbacks type.
  std::uint64_t id = 0;       ///< Unique in this program, never used again.
  exit_reason reason;         ///< Why it ended.
  std::string_view message;   ///< The type of the message it was handling; empty if none.
  source_location where;      ///< Where that message was sent from, if it was sent to an address in a
                              ///< variable, and the compiler knows; else line 0. try_cast and try_send
                              ///< to a server_ref do not tell.
  std::size_t dropped = 0;    ///< How many casts and infos were left in its mailbox.

  explicit crash_report(exit_reason why) : reason(std::move(why)) {}

  /// Returns the report as one line.
  std::string text() const {
    std::string line = "otpp: server ";
    line += name.empty() ? "#" + std::to_string(id) : '"' + std::string(name) + '"';
    line += " (" + std::string(callbacks) + ") ended: " + reason.message();
    if (!message.empty()) {
      line += "; it was handling " + std::string(message);
      if (where.line() != 0) {
        line += " from " + std::string(where.file_name()) + ":" + std::to_string(where.line());
      }
    }
    if (dropped != 0) {
      line += "; " + std::to_string(dropped) + " casts and infos were dropped";
    }
    return line;
  }
};

/// A function that takes crash reports. It is called on the server's thread, in no lock, before
/// anybody is told that the server has ended; what it throws is swallowed.
using crash_hook = std::function<void(const crash_report&)>;

namespace detail {

struct crash_hook_place {
  std::mutex mutex;
  std::shared_ptr<const crash_hook> hook; // null: the default

  // Never destroyed: a server may crash while the program's statics are being destroyed.
  static crash_hook_place& instance() {
    static crash_hook_place* place = new crash_hook_place;
    return *place;
  }
};

inline void report_crash(const crash_report& report) noexcept {
  try {
    std::shared_ptr<const crash_hook> hook;
    {
      auto& place = crash_hook_place::instance();
      std::lock_guard lock(place.mutex);
      hook = place.hook;
    }
    if (hook) {
      (*hook)(report);
    } else {
      std::fprintf(stderr, "%s\n", report.text().c_str());
    }
  } catch (...) {
    // Whoever reports a crash must not make a second one.
  }
}

} // namespace detail

/// Sets who is told of crashes, and returns who was told before. An empty hook means the default: one
/// line on stderr.
///
/// @par Thread safety
/// Safe from any thread.
inline crash_hook set_crash_hook(crash_hook hook) {
  auto next = hook ? std::make_shared<const crash_hook>(std::move(hook)) : nullptr;
  auto& place = detail::crash_hook_place::instance();
  {
    std::lock_guard lock(place.mutex);
    std::swap(place.hook, next);
  }
  return next ? *next : crash_hook();
}

} // namespace otpp
