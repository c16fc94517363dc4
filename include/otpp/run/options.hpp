// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/moment.hpp>
#include <otpp/timeout.hpp>

#include <optional>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {
struct access;
}

/// How `otpp::run` runs a program.
///
/// @par Example
/// @code
/// int main() { return otpp::run(client, otpp::run_options().report_after(10s)); }
/// @endcode
class run_options {
 public:
  run_options() = default;

  /// Prints on stderr what still lives (`otpp::describe_processes`) if the program does not end when it is
  /// told to, by SIGINT or SIGTERM, or when its coroutine has returned. Once. It is printed by a thread of
  /// its own, also while a handler blocks the program's thread. Without this nothing is printed.
  ///
  /// @param time  How much later.
  run_options& report_after(duration time) & {
    report_after_ = detail::saturate(time);
    return *this;
  }
  run_options report_after(duration time) && { return report_after(time); }

  /// Has SIGINT and SIGTERM drain the tree of supervisors that is run (`run(supervisor_spec)`): each child
  /// refuses what is new, finishes what it has, and ends, in reverse start order (`server_ref::drain`). Has
  /// no effect on the `run` of a coroutine, which stops, or drains, its servers itself.
  ///
  /// @param within  How long that may take, in all. What is left at the deadline is shut down as without
  ///                this.
  run_options& drain(duration within) & {
    drain_ = detail::saturate(within);
    return *this;
  }
  run_options drain(duration within) && { return drain(within); }

 private:
  friend struct detail::access;
  std::optional<duration> report_after_;
  std::optional<duration> drain_;
};

} // namespace otpp

#pragma GCC visibility pop
