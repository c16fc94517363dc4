// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/counters.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/supervisor/supervision.hpp>
#include <otpp/sys/detail/process_details.hpp>
#include <otpp/timeout.hpp>

#include <asio/execution_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// What is known of one process from outside, copied. OTP's `process_info/1`.
///
/// The parts may be of slightly different moments. Nothing of it was asked of the process, which may be busy or stuck.
struct process_info {
  pid who;                                 ///< The process.
  std::uint64_t id = 0;                    ///< `who.id()`
  std::vector<std::string> names;          ///< All its registered names, in every registry.
  std::string_view type;                   ///< Its callbacks: `"counter"`; `"otpp::spawned"` of a coroutine.
  std::uint64_t parent = 0;                ///< The id of the process that started it with a link; else zero.
  std::optional<std::size_t> queue_length; ///< `process_view::queue_length`; always has a value
  std::string_view current_message;        ///< The type of the message being handled; empty if there is none.
  bool is_supervisor = false;              ///< It has children, or may have.
  std::optional<std::size_t> mailbox_limit; ///< Nothing if its mailbox has none.
  std::vector<std::uint64_t> links;         ///< The ids of the processes with which it is linked.
  std::vector<std::uint64_t> monitors;      ///< The ids of those that it monitors.
  std::vector<std::uint64_t> monitored_by;  ///< The ids of those that monitor it.
  /// The ids of those for which its handler waits, if it certainly does: of several, the first eight. In a cycle of these
  /// nobody goes on before a timeout (`errc::deadlock`).
  std::vector<std::uint64_t> waits_for;
  const asio::execution_context* context = nullptr; ///< On which it runs. It may have gone: do not follow it.
  std::uint32_t context_number = 0;                 ///< `process_view::context_number`
  std::chrono::steady_clock::time_point started;    ///< When it was started, to some milliseconds.
  std::uint64_t messages = 0;                       ///< `process_view::messages`
  duration in_handlers{};                           ///< `process_view::in_handlers`
  std::optional<duration> handling_for;             ///< `process_view::handling_for`
  std::size_t longest_queue = 0;                    ///< `process_view::longest_queue`
  std::optional<child_place> child;      ///< Of which supervisor's child: `parent` is the supervisor.
  std::optional<supervision> supervises; ///< How it supervises; nothing if it is no supervisor.
};

/// A living process, as `visit_processes` and `top_processes` show it: what it says is read at that moment, without asking
/// the process, and nothing is copied or allocated. OTP's `process_info/2`.
///
/// @par Lifetime
/// Valid while the function runs to which it is passed. Do not keep it; `info` returns a copy.
///
/// @par Thread safety
/// For the thread of that function only.
class process_view {
 public:
  /// Returns its id, which is unique in this program and never reused.
  std::uint64_t id() const noexcept { return server_->id(); }
  /// Returns its callbacks: `"counter"`; `"otpp::spawned"` of a coroutine.
  std::string_view type() const noexcept { return server_->type_name(); }
  /// Returns the id of the process that started it with a link; else zero.
  std::uint64_t parent() const noexcept { return detail::relations::parent_of(*server_); }
  /// Returns the type of the message that is handled; empty if there is none.
  std::string_view current_message() const noexcept { return server_->observed().current_message(); }
  /// Returns when it was started, to some milliseconds.
  std::chrono::steady_clock::time_point started() const noexcept { return server_->started(); }
  /// Returns the context on which it runs.
  const asio::execution_context* context() const noexcept { return &server_->context().context(); }
  /// Returns the number of that context, by which people tell contexts apart: 1 for the first one that the library has seen.
  /// Unlike an address it is never used again.
  std::uint32_t context_number() const noexcept { return server_->context().number(); }
  /// Returns true if it has children, or may have.
  bool is_supervisor() const noexcept {
    const detail::relations* its = server_->related();
    return its && its->supervises();
  }
  /// Returns the limit of its mailbox; nothing if there is none.
  std::optional<std::size_t> mailbox_limit() const noexcept {
    std::size_t limit = server_->queue().limit();
    return limit != 0 ? std::optional(limit) : std::nullopt;
  }

  /// Returns true if it waits for a message.
  bool is_asleep() const noexcept { return server_->observed().is_asleep(); }

  /// Returns how many messages wait in its mailbox, those of the library included, as in OTP. Counts at most the
  /// newest 100,000 of those at which the process has not looked yet. O(n) in these, and while that many are counted,
  /// the process waits if it wants to take them.
  std::size_t queue_length() const noexcept { return server_->queue().count_up_to(100'000); }

  /// Returns the most messages that it has found in its mailbox at one time, the handled one included; zero unless counted
  /// (`counting`).
  std::size_t longest_queue() const noexcept {
    const detail::counters* counted = server_->observed().counted();
    return counted ? counted->longest_queue() : 0;
  }

  /// Returns how many calls, casts, infos and timeouts it has handled while they were counted (`counting`).
  std::uint64_t messages() const noexcept {
    const detail::counters* counted = server_->observed().counted();
    return counted ? counted->messages() : 0;
  }

  /// Returns how long its handlers have run while they were counted (`counting`), with the waits of coroutine handlers, and
  /// with the time of the one that runs now.
  duration in_handlers() const noexcept {
    const detail::counters* counted = server_->observed().counted();
    return counted ? counted->in_handlers() + handling_for().value_or(duration::zero()) : duration::zero();
  }

  /// Returns for how long the handler has run that runs or waits now; nothing if none does, or if it began before
  /// they were counted (`counting`).
  std::optional<duration> handling_for() const noexcept {
    const detail::counters* counted = server_->observed().counted();
    std::optional<detail::counters::time_point> since = counted ? counted->began() : std::nullopt;
    const detail::context_guard inside(server_->context());
    if (!since || !inside) {
      return std::nullopt;
    }
    return (std::max)(duration(server_->context().coarse_now() - *since), duration::zero());
  }

  /// Returns all its registered names, in every registry, oldest first. Allocates if it has any.
  std::vector<std::string> names() const { return detail::names_of(*server_); }

  /// Returns its name, or `counter#7`. Allocates.
  std::string describe() const { return server_->describe(); }

  /// Returns everything, copied. Throws std::bad_alloc.
  process_info info() const;

 private:
  friend struct detail::access;
  explicit process_view(const detail::intrusive_ptr<detail::server_core>& server) noexcept
      : server_(server) {}

  const detail::intrusive_ptr<detail::server_core>& server_;
};

inline process_info process_view::info() const {
  process_info result;
  result.who = detail::access::make<pid>(server_);
  result.id = id();
  result.names = names();
  result.type = type();
  result.parent = parent();
  result.queue_length = queue_length();
  result.current_message = current_message();
  result.mailbox_limit = mailbox_limit();
  result.waits_for = detail::awaited_by(*server_);
  result.context = context();
  result.context_number = context_number();
  result.started = started();
  result.messages = messages();
  result.in_handlers = in_handlers();
  result.handling_for = handling_for();
  result.longest_queue = longest_queue();
  detail::relations* its = server_->related();
  if (!its) {
    return result;
  }
  result.is_supervisor = its->supervises();
  if (const supervision* how = its->get_supervision()) {
    result.supervises = *how;
  }
  if (const child_place* where = its->get_place()) {
    result.child = *where;
  }
  for (const detail::related& one : detail::related_to(*its)) {
    (one.is_link ? result.links : one.is_maker ? result.monitors : result.monitored_by).push_back(one.other);
  }
  return result;
}

} // namespace otpp

#pragma GCC visibility pop
