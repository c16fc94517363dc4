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

#pragma GCC visibility push(default)

namespace otpp {

struct down;

/// Identifies a monitor: returned by `monitor`, and contained in `down`. Erlang's reference.
///
/// A default-constructed or moved-from one refers to no monitor: it converts to false, and `demonitor` has no
/// effect (docs/architecture.md, "Handles").
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

/// The message that a process gets when a process that it monitors has ended. It is passed to
/// `handle_info(otpp::down, State&)`. OTP's `{'DOWN', Ref, process, Pid, Reason}`.
struct down {
  down() noexcept = default;

  monitor_ref ref;    ///< The monitor.
  pid who;            ///< The process that has ended.
  exit_reason reason; ///< Why.

  /// Returns true if the monitor has been removed; the library then drops the message.
  bool is_void() const noexcept {
    return detail::access::of(ref) && detail::access::of(ref)->is_disconnected();
  }
};

namespace detail {

template <>
inline constexpr bool is_news<down> = true;

// The first monitors the second.
class monitor_relation final : public relation {
 public:
  monitor_relation(core_ptr watcher, core_ptr target)
      : relation(std::move(watcher), std::move(target), false),
        message_(new plain_message<down>(&opened, down(), source_location())) {}

  void notify(const server_core& who, const exit_reason& reason) noexcept override {
    if (&who != second().get()) {
      return; // the watcher has ended
    }
    plain_message<down>& item = *message_.release();
    item.content().ref = access::make<monitor_ref>(intrusive_ptr<relation>(this));
    item.content().who = access::make<pid>(second());
    item.content().reason = reason;
    if (first()->send<&mailbox::push_library_message>(item) != mailbox::result::taken) {
      item.discard_message();
    }
  }

 private:
  static void opened(server_core& server, envelope& item) {
    envelope::opener open = nullptr;
    if (!static_cast<plain_message<down>&>(item).content().is_void()) {
      open = server.find_opener(server_core::verb::info, typeid(down));
    }
    open ? open(server, item) : item.discard_message();
  }

  std::unique_ptr<plain_message<down>, envelope_discarder> message_;
};

} // namespace detail

/// Sends this process one `down` message when `target` has ended, or at once, with its reason, if it has
/// already ended. OTP's `monitor(process, Pid)`.
///
/// Must be called inside a callback, or in the body of a spawned coroutine. A plain coroutine awaits
/// `target.join()` instead, which returns the reason without a message. The message needs no room in a mailbox
/// with a limit. Returns an identifier that is unique to this monitor.
///
/// @param target  The process to monitor. Each call makes another monitor, also of the same process.
///
/// @par Errors
/// - `errc::no_process`: the caller is not a process, or `target` is nobody.
/// - std::bad_alloc; then nothing is monitored.
///
/// @par Thread safety
/// Affects the process in whose step it is called; the target may run on any context.
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
  } else {
    detail::access::core(target)->tell_elsewhere(detail::process::deed::monitor, watcher.get(), nullptr);
  }
  return detail::access::make<monitor_ref>(made);
}

/// Is refused with a sentence: a name may belong to another process by now.
template <detail::name_address Name>
monitor_ref monitor(Name) {
  detail::refuse_name<Name>();
  return {};
}

/// Removes a monitor, and returns true if its target had not ended, which is OTP's `info`. Afterwards no
/// `down` of it is handled, even if one was already in the mailbox. OTP's `demonitor(Ref, [flush])`.
///
/// @param ref  What `monitor` returned. Has no effect if it was removed before, or refers to no monitor.
///
/// @par Thread safety
/// Safe from any thread; the guarantee about `down` holds only if the monitoring process itself calls it.
inline bool demonitor(const monitor_ref& ref) noexcept {
  return detail::access::of(ref) && detail::access::of(ref)->disconnect();
}

} // namespace otpp

template <>
struct std::hash<otpp::monitor_ref> {
  std::size_t operator()(const otpp::monitor_ref& ref) const noexcept {
    return std::hash<const void*>()(otpp::detail::access::of(ref).get());
  }
};

#pragma GCC visibility pop
