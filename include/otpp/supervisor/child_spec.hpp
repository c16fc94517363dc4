// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/via.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/overflow.hpp>
#include <otpp/message.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/supervisor/detail/child_maker.hpp>
#include <otpp/supervisor/supervision.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The type of `brutal_kill`.
struct brutal_kill_t {
  explicit constexpr brutal_kill_t() = default;
};

/// Says that a child is killed instead of being asked to shut down.
inline constexpr brutal_kill_t brutal_kill{};

/// How a supervisor starts, restarts and ends one child. OTP's child specification.
///
/// Created by `otpp::child` and `otpp::temporary_child`; chained setters override the defaults: restart
/// permanent, shutdown within 5 s, or without a limit for a supervisor. Cheap to copy, except for its name;
/// copies share the arguments with which the child is started.
///
/// A child is shut down by the exit signal `shutdown`. As in OTP, a child that does not trap exits
/// (`otpp::trap_exit()` in its `init`) ends at once, without its `terminate`, and the messages in its mailbox
/// are dropped; a child that does trap exits handles the earlier messages first, and then runs its
/// `terminate`. A child that should begin nothing new, such as a server with a queue of jobs, has
/// `shutdown(otpp::ahead)`: it ends when the handler that runs has returned, runs its `terminate`, and handles none of the
/// messages in its mailbox.
///
/// @par Thread safety
/// Distinct objects: safe, if copying the arguments of `init` is. Shared objects: safe for reading.
///
/// @par Example
/// @code
/// otpp::child<counter>("counter", 0).named("counter").restart(otpp::transient).shutdown(1s)
/// @endcode
class child_spec {
 public:
  // Used by child().
  child_spec(std::string id, std::shared_ptr<const detail::child_maker> maker)
      : id_(std::move(id)),
        maker_(std::move(maker)),
        type_name_(maker_->type_name()),
        shutdown_(maker_->is_supervisor() ? infinite : std::chrono::seconds(5)),
        restart_(maker_->works_once() ? restart_type::temporary : restart_type::permanent),
        is_supervisor_(maker_->is_supervisor()) {}

  /// Sets when the child is restarted.
  ///
  /// @param when  `permanent` by default. Throws std::invalid_argument if a `temporary_child` would be
  ///              restarted.
  child_spec& restart(restart_type when) & {
    if (maker_->works_once() && when != restart_type::temporary) {
      throw std::invalid_argument("otpp: a temporary_child gives its arguments away: it cannot be restarted");
    }
    restart_ = when;
    return *this;
  }
  child_spec restart(restart_type when) && { return std::move(restart(when)); }

  /// Sets how long the child may take to shut down before it is killed.
  ///
  /// @param within  5 s by default; `otpp::infinite`, the default of a supervisor, means forever. With zero
  ///                or less it is killed unless it ends at once.
  template <detail::timeout_like Duration>
  child_spec& shutdown(Duration within) & {
    shutdown_ = (std::max)(detail::saturate(within), duration::zero());
    return *this;
  }
  template <detail::timeout_like Duration>
  child_spec shutdown(Duration within) && {
    return std::move(shutdown(within));
  }

  /// Has the signal handled before the messages in the mailbox, which are dropped, their callers being told; for a
  /// server that traps exits. A coroutine gets the signal as a message like any other.
  child_spec& shutdown(ahead_t) & {
    shuts_down_ahead_ = true;
    return *this;
  }
  child_spec shutdown(ahead_t) && { return std::move(shutdown(ahead)); }

  /// Sets how long the child may take to shut down, and has the signal handled before the messages in its
  /// mailbox.
  ///
  /// @param within  As above.
  template <detail::timeout_like Duration>
  child_spec& shutdown(Duration within, ahead_t) & {
    return shutdown(within).shutdown(ahead);
  }
  template <detail::timeout_like Duration>
  child_spec shutdown(Duration within, ahead_t) && {
    return std::move(shutdown(within, ahead));
  }

  /// Has the child drained (`server_ref::drain`) instead of being sent the signal: it refuses what is new
  /// with `errc::draining`, does what it has, and runs its `terminate`, whether it traps exits or not. A
  /// child is drained whenever its supervisor shuts it down. One that is killed at once is not.
  ///
  /// @param within  How long it may take; the shutdown time begins at the deadline. Zero or less, the
  ///                default, leaves that to its supervisor (`supervisor_spec::drain`).
  template <detail::timeout_like Duration>
  child_spec& drain(Duration within) & {
    drain_ = (std::max)(detail::saturate(within), duration::zero());
    return *this;
  }
  template <detail::timeout_like Duration>
  child_spec drain(Duration within) && {
    return std::move(drain(within));
  }

  /// Has the child killed instead of being shut down.
  child_spec& shutdown(brutal_kill_t) & {
    shutdown_ = duration(-1);
    return *this;
  }
  child_spec shutdown(brutal_kill_t) && { return std::move(shutdown(brutal_kill)); }

  /// Marks the child as significant: if it ends by itself and is not restarted, the supervisor may end too;
  /// see `auto_shutdown`.
  ///
  /// @param is  False takes the mark back.
  child_spec& significant(bool is = true) & {
    is_significant_ = is;
    return *this;
  }
  child_spec significant(bool is = true) && { return std::move(significant(is)); }

  /// Delays consecutive restarts, each for twice as long as the one before. OTP has no such feature. Restarts
  /// count all the same: the supervisor's intensity and period decide when it gives up.
  ///
  /// @param first    The delay before the first of them; zero or less, the default, means no delay at all.
  /// @param longest  What the delay grows up to, not less than `first`. Once a child has run for so long, the
  ///                 delay starts over.
  template <detail::timeout_like First, detail::timeout_like Longest>
  child_spec& backoff(First first, Longest longest) & {
    first_delay_ = (std::max)(detail::saturate(first), duration::zero());
    longest_delay_ = (std::max)(detail::saturate(longest), first_delay_);
    return *this;
  }
  template <detail::timeout_like First, detail::timeout_like Longest>
  child_spec backoff(First first, Longest longest) && {
    return std::move(backoff(first, longest));
  }

  /// Sets the name of every incarnation; the next one gets it as soon as the previous one has ended.
  ///
  /// @param name  As for `options::name`.
  child_spec& named(std::string name) & {
    options how = this->how();
    return start_options(std::move(how).name(std::move(name)));
  }
  child_spec named(std::string name) && { return std::move(named(std::move(name))); }

  /// Sets the executor on which the child runs, instead of its supervisor's. When that one's context is
  /// destroyed, the child ends, and cannot be started again: the restarts fail, and count, until the
  /// supervisor gives up.
  ///
  /// @param executor  As for `options::on`; an empty one means the supervisor's.
  child_spec& on(const asio::any_io_executor& executor) & {
    options how = this->how();
    return start_options(std::move(how).on(executor));
  }
  child_spec on(const asio::any_io_executor& executor) && { return std::move(on(executor)); }

  /// Registers the name in another registry than the global one.
  ///
  /// @param names  Must outlive the supervisor.
  child_spec& in(registry& names) & {
    options how = this->how();
    return start_options(std::move(how).in(names));
  }
  child_spec in(registry& names) && { return std::move(in(names)); }

  /// Registers the name in a registry of any class.
  ///
  /// @param names  Must outlive the supervisor; as for `options::in`.
  template <name_registry Names>
    requires(!std::same_as<Names, registry>)
  child_spec& in(Names& names) & {
    options how = this->how();
    return start_options(std::move(how).in(names));
  }
  template <name_registry Names>
    requires(!std::same_as<Names, registry>)
  child_spec in(Names& names) && {
    return std::move(in(names));
  }

  /// Limits how many messages the child's mailbox holds, as `options::mailbox_limit` does.
  ///
  /// @param messages  How many at most; zero, the default, means any number.
  child_spec& mailbox_limit(std::size_t messages) & {
    options how = this->how();
    return start_options(std::move(how).mailbox_limit(messages));
  }
  child_spec mailbox_limit(std::size_t messages) && { return std::move(mailbox_limit(messages)); }

  /// Sets what becomes of a message that finds no room, as `options::when_full` does.
  ///
  /// @param what  By default `overflow::wait`: the sender waits.
  child_spec& when_full(overflow what) & {
    options how = this->how();
    return start_options(std::move(how).when_full(what));
  }
  child_spec when_full(overflow what) && { return std::move(when_full(what)); }

  /// Has messages of these types handled before all others, as `options::priority` does.
  template <message... M>
    requires(sizeof...(M) > 0)
  child_spec& priority() & {
    options how = this->how();
    return start_options(std::move(how).template priority<M...>());
  }
  template <message... M>
    requires(sizeof...(M) > 0)
  child_spec priority() && {
    return std::move(priority<M...>());
  }

  /// Has the child skip calls whose callers no longer wait, as `options::skip_abandoned` does.
  child_spec& skip_abandoned() & {
    options how = this->how();
    return start_options(std::move(how).skip_abandoned());
  }
  child_spec skip_abandoned() && { return std::move(skip_abandoned()); }

  /// Says that the child's handlers block their thread, as `options::may_block` does.
  child_spec& may_block() & {
    options how = this->how();
    return start_options(std::move(how).may_block());
  }
  child_spec may_block() && { return std::move(may_block()); }

  /// Sets all of these at once, as for `start`; replaces what was set before.
  ///
  /// @param how  Kept, and copied at each start. A name in it is that of every incarnation.
  child_spec& start_options(options how) & {
    how_ = std::make_shared<const options>(std::move(how));
    return *this;
  }
  child_spec start_options(options how) && { return std::move(start_options(std::move(how))); }

  /// Returns what the supervisor calls the child.
  const std::string& id() const noexcept { return id_; }
  /// Returns when the child is restarted.
  restart_type restart() const noexcept { return restart_; }
  /// Returns true if the supervisor may end with the child.
  bool is_significant() const noexcept { return is_significant_; }
  /// Returns true if the child is a supervisor itself.
  bool is_supervisor() const noexcept { return is_supervisor_; }
  /// Returns the callbacks type as text; `coroutine` for a coroutine.
  std::string_view type_name() const noexcept { return type_name_; }

  /// Negative for `brutal_kill`.
  duration shutdown() const noexcept { return shutdown_; }
  /// Returns true if the signal is handled before the messages in the mailbox.
  bool shuts_down_ahead() const noexcept { return shuts_down_ahead_; }

  /// Zero if it is not drained.
  duration drain() const noexcept { return drain_; }
  /// Returns the delay before the first of consecutive restarts; zero for no delay at all.
  duration first_delay() const noexcept { return first_delay_; }
  /// Returns what the delay grows up to.
  duration longest_delay() const noexcept { return longest_delay_; }

  /// Starts one, linked with the process that awaits it. *this must outlive the start.
  asio::awaitable<pid> start() const { return maker_->start(how()); }

  /// Destroys the arguments, because the child is never started again.
  void forget_arguments() noexcept {
    maker_.reset();
    how_.reset();
  }

 private:
  options how() const { return how_ ? *how_ : options(); }

  std::string id_;
  std::shared_ptr<const detail::child_maker> maker_;
  std::shared_ptr<const options> how_; // null for most specifications
  std::string_view type_name_;
  duration shutdown_;
  duration drain_{};
  duration first_delay_{};
  duration longest_delay_{};
  restart_type restart_;
  bool is_supervisor_;
  bool is_significant_ = false;
  bool shuts_down_ahead_ = false;
};

/// Specifies a server as a supervisor's child. OTP's `{Id, {Module, start_link, Args}, ...}`.
///
/// @param id    What the child is called by its supervisor and in reports; unique within that, except within
///              a dynamic supervisor.
/// @param args  The arguments of `init`, which are copied at each start. Checked against `init` here.
///
/// @see temporary_child for arguments that cannot be copied.
template <class Callbacks, class... Args>
child_spec child(std::string id, Args&&... args) {
  constexpr bool copies = (std::copy_constructible<std::decay_t<Args>> && ...);
  static_assert(
      copies,
      "otpp: a child is started with copies of its arguments, again and again, so that they must be "
      "copyable; otpp::temporary_child, which is started once, takes others");
  if constexpr (copies && detail::check_child<Callbacks, std::decay_t<Args>...>()) {
    return child_spec(
        std::move(id), std::make_shared<const detail::server_maker<Callbacks, std::decay_t<Args>...>>(
                           std::in_place, std::forward<Args>(args)...));
  } else {
    return child_spec(std::move(id), nullptr);
  }
}

/// Specifies a coroutine as a child.
///
/// On GCC before 13 a lambda with captures must not be a temporary in an expression with `co_await`: assign
/// it, or the specification, to a variable first.
///
/// @param id    As above.
/// @param make  A function without parameters that returns the body, an `asio::awaitable<void>`, which runs
///              as with `spawn`. It is called at each start, and kept until the last body has ended.
///
/// @par Example
/// @code
/// otpp::child("clock", [] { return tell_the_time(1s); })
/// @endcode
template <class Factory>
  requires std::same_as<std::invoke_result_t<std::decay_t<Factory>&>, asio::awaitable<void>>
child_spec child(std::string id, Factory&& make) {
  return child_spec(
      std::move(id),
      std::make_shared<const detail::coroutine_maker<std::decay_t<Factory>>>(std::forward<Factory>(make)));
}

/// Is refused with a sentence: a coroutine runs once, and a child is started again and again.
///
/// @param id  As above.
template <class T>
child_spec child(std::string id, asio::awaitable<T>) {
  static_assert(
      !detail::is_coroutine<asio::awaitable<T>>,
      "otpp: a child is started again and again, and a coroutine runs once: pass the function that starts "
      "it");
  return child_spec(std::move(id), nullptr);
}

/// Specifies a server that is started once and never restarted.
///
/// @param id    As for `child`.
/// @param args  The arguments of `init`, which are moved into it, and so need not be copyable.
template <class Callbacks, class... Args>
child_spec temporary_child(std::string id, Args&&... args) {
  if constexpr (detail::check_child<Callbacks, std::decay_t<Args>...>()) {
    return child_spec(
        std::move(id), std::make_shared<const detail::once_maker<Callbacks, std::decay_t<Args>...>>(
                           std::in_place, std::forward<Args>(args)...));
  } else {
    return child_spec(std::move(id), nullptr);
  }
}

} // namespace otpp

#pragma GCC visibility pop
