// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/detail/report.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Waits for the end of a process. The result is empty if the process did not end in time.
inline asio::awaitable<std::optional<exit_reason>> join_within(pid who, duration patience) {
  std::optional<exit_reason> result;
  try {
    exit_reason why =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, exit_reason)>(
            initiate_join(), asio::use_awaitable, access::core(who), patience);
    result = std::move(why);
  } catch (const error& e) {
    if (e.code() != errc::timeout) {
      throw;
    }
  }
  co_return result;
}

inline bool is_killed_at_once(const child_spec& spec) noexcept { return spec.shutdown() < duration::zero(); }

inline void signal_shutdown(const child_spec& spec, const pid& who) {
  if (is_killed_at_once(spec)) {
    kill(who);
  } else if (spec.shuts_down_ahead() && who) {
    auto* order = new pending_exit_message(running_pid(), exit_reason::shutdown());
    order->is_ahead = true;
    relations::of(*access::core(who)).send_exit_signal(*order);
  } else {
    exit(who, exit_reason::shutdown());
  }
}

// Waits for a child that was sent an exit signal, and kills it when its time is over.
inline asio::awaitable<void> await_end(const child_spec& spec, pid who, duration patience) {
  std::optional<exit_reason> why = co_await join_within(who, patience);
  if (!why) {
    report(supervisor_report::kind::overdue, spec.id(), who, exit_reason::killed());
    kill(who);
    co_await join_within(who, infinite);
    co_return;
  }
  bool is_expected =
      is_killed_at_once(spec)
          ? *why == exit_reason::killed() || why->is_clean()
          : *why == exit_reason::shutdown() || (why->is_clean() && spec.restart() != restart_type::permanent);
  if (!is_expected) {
    report(supervisor_report::kind::shutdown_error, spec.id(), who, *why);
  }
}

// Shuts down one child, and waits for its end, after which its names are free.
inline asio::awaitable<void> end_child(const child_spec& spec, pid who) {
  signal_shutdown(spec, who);
  co_await await_end(spec, who, is_killed_at_once(spec) ? infinite : spec.shutdown());
}

} // namespace otpp::detail

#pragma GCC visibility pop
