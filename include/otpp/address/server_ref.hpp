// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/server/drain_request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The type of `ahead`.
struct ahead_t {
  explicit constexpr ahead_t() = default;
};

/// Says that something comes before what waits in a mailbox: for `stop` and `exit`, for the functions of `sys`, and for the
/// `shutdown` of a child or a supervisor.
inline constexpr ahead_t ahead{};

namespace detail {

template <class T>
inline constexpr bool is_ahead_tag = std::is_same_v<std::decay_t<T>, ahead_t>;

// May a server_ref<Callbacks> refer to this server?
template <class Callbacks>
bool has_callbacks(const server_core& server) noexcept {
  return server.callbacks_type_info() == typeid(Callbacks);
}

// What a server_ref refers to, without a share in it: for verbs that are done when they return, which would
// pay more for the share than for the rest. A copy records its source location.
template <class Callbacks>
class borrowed_ref {
 public:
  borrowed_ref(const borrowed_ref& other, source_location where = source_location::current()) noexcept
      : core_(other.core_), where_(where) {}
  borrowed_ref& operator=(const borrowed_ref&) = default;
  ~borrowed_ref() = default;

  server_core* borrowed_core() const noexcept { return core_; }

  source_location where() const noexcept { return where_; }

 protected:
  borrowed_ref() noexcept = default;
  borrowed_ref(server_core* core, source_location where) noexcept : core_(core), where_(where) {}

  server_core* core_ = nullptr;
  source_location where_;
};

} // namespace detail

/// A reference to a server, returned by `start`: an address for every verb. OTP's pid.
///
/// It keeps no server alive; if the server has ended, every verb fails with `errc::no_process`. It never
/// refers to another server, not even to a successor with the same name.
///
/// A default-constructed or moved-from one refers to nobody (docs/architecture.md, "Handles"): it converts to
/// false, and every verb fails with `errc::no_process`.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Lifetime
/// May outlive the server, its context and the registry.
template <class Callbacks>
class server_ref : public detail::borrowed_ref<Callbacks> {
  using base = detail::borrowed_ref<Callbacks>;

 public:
  /// The callbacks of the server.
  using callbacks_type = Callbacks;

  /// Refers to nobody.
  server_ref() noexcept = default;

  // The hidden argument makes every copy record its source location: a verb takes its address by value, and
  // so learns where it was called.
  server_ref(const server_ref& other, source_location where = source_location::current()) noexcept
      : base(other, where) {
    if (this->core_) {
      this->core_->add_ref();
    }
  }
  server_ref(server_ref&& other) noexcept : base(std::exchange(other.core_, nullptr), other.where_) {}
  server_ref& operator=(server_ref other) noexcept {
    std::swap(this->core_, other.core_);
    this->where_ = other.where_;
    return *this;
  }
  ~server_ref() {
    if (this->core_) {
      this->core_->release();
    }
  }

  /// False for nobody.
  explicit operator bool() const noexcept { return this->core_ != nullptr; }

  /// Asks the server to end with the reason `normal`, and waits for the end: `terminate` has run and its
  /// names are free.
  ///
  /// The request goes to the end of the mailbox, so earlier messages are handled first. It waits however long
  /// that takes, as in OTP; the overloads take another reason, and a timeout. OTP's `gen_server:stop/1,3`.
  ///
  /// With `otpp::ahead` it comes before all messages in the mailbox, and what waits for room: the server ends
  /// when the handler that runs has returned, and nothing more is handled, except for what its `terminate`
  /// does. Calls in the mailbox get the reason; casts are dropped, and counted in a report. `otpp::exit` does
  /// not wait for that handler, but cancels it.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::no_process`: the server had already ended, or this refers to nobody.
  /// - `errc::exited`: it ended with another reason.
  /// - `errc::timeout`: it has not ended in time.
  /// - `errc::calling_self`: a handler cannot wait for its own server's end; it returns `otpp::stop()`
  /// instead.
  /// - `errc::deadlock`: the wait would be a deadlock, as described for `call`. Nothing is sent.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the server still ends.
  ///
  /// @par Thread safety
  /// Safe from any thread.
  ///
  /// @par Lifetime
  /// This object may be destroyed at once.
  ///
  /// @par Example
  /// @code
  /// co_await server.stop();
  /// co_await server.stop(otpp::exit_reason::shutdown(), 1s);
  /// co_await server.stop(otpp::exit_reason::shutdown(), otpp::ahead);
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!std::convertible_to<Token, exit_reason> && !detail::is_ahead_tag<Token>)
  auto stop(Token&& token = {}) const {
    return stop(exit_reason::normal(), infinite, std::forward<Token>(token));
  }

  /// Stops the server with another reason. All else as above.
  ///
  /// @param reason  What `terminate` gets.
  /// @param token   A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token> && !detail::is_ahead_tag<Token>)
  auto stop(exit_reason reason, Token&& token = {}) const {
    return stop(std::move(reason), infinite, std::forward<Token>(token));
  }

  /// Stops the server, and waits for the end for a limited time. All else as above.
  ///
  /// @param reason   What `terminate` gets.
  /// @param timeout  How long to wait; `otpp::infinite` waits forever. After a timeout the server still ends.
  /// @param token    A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
    requires(!detail::is_ahead_tag<Token>)
  auto stop(exit_reason reason, Duration timeout, Token&& token = {}) const {
    return detail::start_stop(
        core(), std::move(reason), detail::saturate(timeout), false, std::forward<Token>(token));
  }

  /// Stops the server with the reason `normal`, before it handles what is queued. All else as above.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
  auto stop(ahead_t, Token&& token = {}) const {
    return stop(exit_reason::normal(), infinite, ahead, std::forward<Token>(token));
  }

  /// Stops the server with another reason, before it handles what is queued. All else as above.
  ///
  /// @param reason  What `terminate` gets.
  /// @param token   A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
  auto stop(exit_reason reason, ahead_t, Token&& token = {}) const {
    return stop(std::move(reason), infinite, ahead, std::forward<Token>(token));
  }

  /// Stops the server before it handles what is queued, and waits for the end for a limited time. All else as
  /// above.
  ///
  /// @param reason   What `terminate` gets.
  /// @param timeout  How long to wait; `otpp::infinite` waits forever. After a timeout the server still ends.
  /// @param token    A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto stop(exit_reason reason, Duration timeout, ahead_t, Token&& token = {}) const {
    return detail::start_stop(
        core(), std::move(reason), detail::saturate(timeout), true, std::forward<Token>(token));
  }

  /// Lets the server finish what it has, ends it, and waits for the end. OTP has no such function.
  ///
  /// From now on what is new is refused with `errc::draining`: calls, casts and plain messages of all others, also where
  /// they come by a name. What the server has is done: what is in its mailbox, and what stands in line for room there,
  /// which has been accepted; what a state machine has postponed; calls whose `otpp::caller` it keeps; its coroutines
  /// (`otpp::co_spawn`). Meanwhile it gets
  /// all that it needs for that: answers, its timers, news of other processes, and what it sends to itself from its
  /// callbacks and coroutines. Then it ends like one that is stopped. A timer that is still to fire does not hold it up.
  ///
  /// If that takes longer than `within`, the handler that waits is cancelled, and the server ends as with
  /// `stop(otpp::ahead)`: `terminate` runs, and calls that are left get `errc::exited`.
  ///
  /// A server whose work has no end of itself, as one that accepts connections, hears of it by `otpp::draining`. A
  /// process that is a coroutine (`spawn`) ends when that returns, or is cancelled at the deadline. A supervisor drains
  /// its children, too, in the order in which it ends them, by the same deadline.
  ///
  /// Draining cannot be taken back. A second drain may bring the deadline forward; the first reason stands. `stop` and
  /// `exit` do what they always do.
  ///
  /// @param within  How long it may take, at most; `otpp::infinite` means as long as it takes.
  /// @param token   A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::timeout`: it had not ended at the deadline; it has ended now.
  /// - `errc::exited`: it has ended with another reason.
  /// - `errc::no_process`, `errc::calling_self`, `errc::deadlock`: as for `stop`.
  /// - `errc::bad_message`: the process is on another node. It is not drained.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the server drains on, and ends.
  ///
  /// @par Thread safety
  /// Safe from any thread.
  ///
  /// @par Lifetime
  /// This object may be destroyed at once.
  ///
  /// @par Example
  /// @code
  /// co_await server.drain(30s);
  /// co_await server.drain(30s, otpp::exit_reason::shutdown());
  /// @endcode
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
    requires(!std::convertible_to<Token, exit_reason>)
  auto drain(Duration within, Token&& token = {}) const {
    return drain(within, exit_reason::normal(), std::forward<Token>(token));
  }

  /// Drains the server, which then ends with another reason than `normal`. All else as above.
  ///
  /// @param within  As above.
  /// @param reason  What `terminate` gets.
  /// @param token   A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto drain(Duration within, exit_reason reason, Token&& token = {}) const {
    return detail::start_drain(
        core(), std::move(reason), detail::saturate(within), std::forward<Token>(token));
  }

  /// Waits until the server has ended, for whatever reason, and returns the reason. OTP uses a monitor for
  /// this.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, otpp::exit_reason)`
  ///
  /// @par Errors
  /// - `errc::no_process`: this refers to nobody.
  /// - `errc::calling_self`: a handler cannot wait for its own server's end.
  /// - `errc::deadlock`: the wait would be a deadlock, as described for `call`.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`.
  ///
  /// @par Thread safety
  /// Safe from any thread. The reason of a server that has already ended is still known.
  ///
  /// @par Lifetime
  /// This object may be destroyed at once.
  ///
  /// @par Example
  /// @code
  /// otpp::exit_reason why = co_await server.join();
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
  auto join(Token&& token = {}) const {
    return detail::start_join(core(), std::forward<Token>(token));
  }

  /// Returns true if the server has ended, and for nobody. The server may end at any time, so false may be
  /// stale.
  bool has_ended() const noexcept { return !this->core_ || this->core_->has_ended(); }

  /// Returns the server's id: unique in this program, never reused. Zero for nobody.
  std::uint64_t id() const noexcept { return this->core_ ? this->core_->id() : 0; }

  /// Returns it as text: `"counter"`, or `counter#7` for a server that was started without a name.
  std::string describe() const { return this->core_ ? this->core_->describe() : "nobody"; }

  friend bool operator==(const server_ref& a, const server_ref& b) noexcept { return a.core_ == b.core_; }

  /// Prints `describe()`.
  template <class Stream>
    requires requires(Stream& out, const std::string& text) { out.write(text.data(), 1) << text; }
  friend Stream& operator<<(Stream& out, const server_ref& server) {
    out << server.describe();
    return out;
  }

 private:
  friend struct detail::access;

  explicit server_ref(detail::intrusive_ptr<detail::server_core> core) noexcept
      : base(core.detach(), source_location()) {}

  detail::intrusive_ptr<detail::server_core> core() const& noexcept {
    return detail::intrusive_ptr<detail::server_core>(this->core_);
  }
  detail::intrusive_ptr<detail::server_core> core() && noexcept {
    return detail::intrusive_ptr<detail::server_core>::adopt(std::exchange(this->core_, nullptr));
  }
};

} // namespace otpp

template <class Callbacks>
struct std::hash<otpp::server_ref<Callbacks>> {
  std::size_t operator()(const otpp::server_ref<Callbacks>& server) const noexcept {
    return std::hash<std::uint64_t>()(server.id());
  }
};

#pragma GCC visibility pop
