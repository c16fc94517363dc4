// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process/self.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <typeinfo>
#include <utility>

namespace otpp {

struct down;

/// Which monitor it was: what `monitor` returns and `down` has. Erlang's reference.
///
/// One that is made without anything, or moved from, refers to no monitor: it converts to false, and `demonitor` does
/// nothing (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
class monitor_ref {
 public:
  monitor_ref() noexcept = default;

  /// False if it refers to no monitor.
  explicit operator bool() const noexcept { return static_cast<bool>(relation_); }

  friend bool operator==(const monitor_ref& a, const monitor_ref& b) noexcept {
    return a.relation_ == b.relation_;
  }

 private:
  friend struct detail::access;

  explicit monitor_ref(detail::intrusive_ptr<detail::relation> of) noexcept : relation_(std::move(of)) {}

  const detail::intrusive_ptr<detail::relation>& of() const noexcept { return relation_; }

  detail::intrusive_ptr<detail::relation> relation_;
};

/// What a process is sent when one that it monitors has ended. Goes to `handle_info(otpp::down, State&)`. OTP's
/// `{'DOWN', Ref, process, Pid, Reason}`.
struct down {
  down() noexcept = default;

  monitor_ref ref;    ///< Which monitor it was.
  pid who;            ///< Who has ended.
  exit_reason reason; ///< Why.

  /// True if the monitor was given up meanwhile: then the library drops it.
  bool is_void() const noexcept { return detail::access::of(ref) && detail::access::of(ref)->is_cut(); }
};

namespace detail {

// The first monitors the second.
class monitor_relation final : public relation {
 public:
  monitor_relation(core_ptr watcher, core_ptr target)
      : relation(std::move(watcher), std::move(target), false),
        letter_(new plain_message<down>(&opened, down(), source_location())) {}

  void notify(const server_core& who, const exit_reason& reason) noexcept override {
    if (&who != second().get()) {
      return; // the watcher has ended
    }
    plain_message<down>& letter = *letter_.release();
    letter.content().ref = access::make<monitor_ref>(intrusive_ptr<relation>(this));
    letter.content().who = access::make<pid>(second());
    letter.content().reason = reason;
    if (first()->send<&mailbox::push_library_message>(letter) != mailbox::result::taken) {
      letter.abandon();
    }
  }

 private:
  static void opened(server_core& server, envelope& item) {
    envelope::opener open = nullptr;
    if (!static_cast<plain_message<down>&>(item).content().is_void()) {
      open = server.find_opener(server_core::verb::info, typeid(down));
    }
    open ? open(server, item) : item.abandon();
  }

  std::unique_ptr<plain_message<down>, envelope_abandoner> letter_;
};

} // namespace detail

/// Sees to it that this process is sent one `down` message when `target` has ended; at once if it has ended
/// already, with the reason that it had. OTP's `monitor(process, Pid)`.
///
/// To be called inside a callback, or the body of a spawned coroutine. A plain coroutine waits for
/// `target.join()` instead, which is the same without a message.
///
/// @returns  What tells this monitor from others; every call makes one.
///
/// @par Errors
/// - `errc::no_process`: it is no process that calls this, or `target` is nobody.
/// - std::bad_alloc; then nothing is monitored.
///
/// @par Thread safety
/// It is about the process whose step this is; the target may be anywhere.
///
/// @par Lifetime
/// A monitor ends with either process, or by `demonitor`. It keeps neither alive.
///
/// @par Complexity
/// Constant, here and at the end.
///
/// @par Example
/// @code
/// void handle_cast(watch request, state& s) { s.watched = otpp::monitor(request.who); }
/// void handle_info(otpp::down message, state& s) { s.failed.push_back(message.who); }
/// @endcode
inline monitor_ref monitor(const pid& target) {
  detail::intrusive_ptr<detail::server_core> watcher = detail::running_process("monitor");
  if (!target) {
    std::rethrow_exception(detail::make_error(errc::no_process, "monitor", {}, "nobody"));
  }
  detail::relations::of(*watcher);
  detail::relations::of(*detail::access::core(target));
  detail::intrusive_ptr<detail::monitor_relation> made(
      new detail::monitor_relation(watcher, detail::access::core(target)));
  if (!made->connect()) {
    made->notify(*detail::access::core(target), detail::access::core(target)->end_reason());
  }
  return detail::access::make<monitor_ref>(made);
}

template <detail::name_address Name>
monitor_ref monitor(Name) {
  detail::refuse_name<Name>();
  return {};
}

/// Gives up a monitor. No `down` of it is handled afterwards, also if it was in the mailbox already. OTP's
/// `demonitor(Ref, [flush])`.
///
/// @returns  True if the target had not ended: OTP's `info`.
///
/// @par Thread safety
/// Safe from any thread; only the process that monitors can rely on what has not come yet.
inline bool demonitor(const monitor_ref& ref) noexcept {
  return detail::access::of(ref) && detail::access::of(ref)->cut();
}

} // namespace otpp

template <>
struct std::hash<otpp::monitor_ref> {
  std::size_t operator()(const otpp::monitor_ref& ref) const noexcept {
    return std::hash<const void*>()(otpp::detail::access::of(ref).get());
  }
};
