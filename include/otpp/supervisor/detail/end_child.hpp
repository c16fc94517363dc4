// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/detail/server/drain_plan.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/detail/report.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
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

// How long a child is drained: as its specification says, but not past the deadline of its supervisor, if that drains, and
// then in any case, unless it is a coroutine. Zero: not at all.
inline duration drain_time(const child_spec& spec, const pid& who) {
  if (is_killed_at_once(spec) || !who) {
    return duration::zero();
  }
  relations* mine = running_process("a supervisor")->related();
  if (!mine || !mine->is_draining()) {
    return spec.drain();
  }
  duration left = mine->drains()->time_left();
  bool is_asked = spec.drain() != duration::zero();
  bool is_coroutine = has_callbacks<spawned>(*access::core(who));
  return is_asked ? (std::min)(spec.drain(), left) : is_coroutine ? duration::zero() : left;
}

// How long a child may take to end before it is killed.
inline duration time_to_end(const child_spec& spec, duration drain) noexcept {
  duration time = is_killed_at_once(spec) ? infinite : spec.shutdown();
  return time > infinite - drain ? infinite : time + drain;
}

inline void begin_end(const child_spec& spec, const pid& who, duration drain) {
  if (drain > duration::zero()) {
    relations::plan_drain(*access::core(who));
    access::core(who)->related()->drain(exit_reason::shutdown(), drain);
  } else if (is_killed_at_once(spec)) {
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
  duration drain = drain_time(spec, who);
  begin_end(spec, who, drain);
  co_await await_end(spec, who, time_to_end(spec, drain));
}

} // namespace otpp::detail

#pragma GCC visibility pop
