// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Gives the library access to private members of public classes; each declares this as a friend.
struct access {
  // Constructs an object by a private constructor.
  template <class T, class... Args>
  static T make(Args&&... args) noexcept(noexcept(T(std::forward<Args>(args)...))) {
    return T(std::forward<Args>(args)...);
  }

  // server_ref, pid: the process behind it.
  template <class Handle>
  static decltype(auto) core(Handle&& handle) noexcept {
    return std::forward<Handle>(handle).core();
  }

  // monitor_ref: the relation that it refers to. exit_signal: the link through which it came, or null. transport: who
  // makes it, or null.
  template <class Ref>
  static const auto& of(const Ref& ref) noexcept {
    return ref.of();
  }

  // exit_signal: whether it was sent by `kill`.
  template <class Signal>
  static auto& is_kill(Signal& signal) noexcept {
    return signal.is_kill_;
  }

  // caller: the process that has called, or null.
  template <class Caller>
  static auto* process_of(const Caller& from) noexcept {
    return from.process();
  }

  // request_handle: the request, which the handle gives away.
  template <class Handle>
  static auto release(Handle&& handle) noexcept {
    return std::forward<Handle>(handle).release();
  }

  // exit_reason: the reason, with the one that it replaces kept inside.
  template <class Reason>
  static Reason after(const Reason& reason, const Reason& replaced) noexcept {
    return reason.after(replaced);
  }

  // exit_reason: its text, without that of the reason that it replaces.
  template <class Reason>
  static auto own_message(const Reason& reason) {
    return reason.own_message();
  }

  // outcome, init_result, stopping, failure: what a handler has returned.
  template <class Outcome>
  static auto kind(const Outcome& outcome) noexcept {
    return outcome.kind();
  }
  template <class Outcome>
  static auto& value(Outcome& outcome) noexcept {
    return outcome.value();
  }
  template <class Outcome>
  static auto& state(Outcome& outcome) noexcept {
    return outcome.state();
  }
  template <class Outcome>
  static auto& reason(Outcome& outcome) noexcept {
    return outcome.reason();
  }
  template <class Outcome>
  static auto& error(Outcome& outcome) noexcept {
    return outcome.error();
  }
  template <class Outcome>
  static auto& action(Outcome& outcome) noexcept {
    return outcome.action();
  }

  // options: the process that the server is linked to from its start, where the server runs, which messages come first,
  // and how it gets its name.
  template <class Options, class Pid>
  static Options link_to(Options&& how, Pid&& parent) {
    return std::move(how).link_to(std::forward<Pid>(parent));
  }
  template <class Options>
  static const auto& linked_to(const Options& how) noexcept {
    return how.linked_to();
  }
  template <class Options>
  static const auto& home(const Options& how) noexcept {
    return how.home();
  }
  template <class Options>
  static auto priority(const Options& how) noexcept {
    return how.has_priority_;
  }
  template <class Options, class Server>
  static void add_name_of(const Options& how, Server& server) {
    how.add_name_of(server);
  }

  // every: when a timer fires again.
  template <class Period>
  static constexpr const auto& again(const Period& period) noexcept {
    return period.again();
  }

  // run_options
  template <class Options>
  static const auto& report_after(const Options& how) noexcept {
    return how.report_after_;
  }
  template <class Options>
  static const auto& drain(const Options& how) noexcept {
    return how.drain_;
  }

  // registry: names for what has no pid yet, and those who wait for a name.
  template <class Names, class Text, class Server>
  static void add(Names& names, const Text& name, Server& server) {
    names.add(name, server);
  }
  template <class Names>
  static const auto& table(const Names& names) noexcept {
    return names.table_;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
