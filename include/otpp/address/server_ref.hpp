// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <cstdint>
#include <functional>
#include <utility>

namespace otpp {

template <class Callbacks>
class server_ref;

namespace detail {

// What a server_ref points to, without a share in it: for verbs that are done when they return, which
// would pay more for the share than for the rest.
template <class Callbacks>
class borrowed_ref {
 public:
  borrowed_ref(const borrowed_ref& other, source_location where = source_location::current()) noexcept
      : core_(other.core_), where_(where) {}
  borrowed_ref& operator=(const borrowed_ref&) = default;
  ~borrowed_ref() = default;

  server_core& borrowed_core() const noexcept { return *core_; }

  /// Returns where this copy was made.
  source_location where() const noexcept { return where_; }

 protected:
  borrowed_ref(server_core* core, source_location where) noexcept : core_(core), where_(where) {}

  server_core* core_;
  source_location where_;
};

} // namespace detail

/// A reference to a server: what `start` returns, and an address for every verb. OTP's pid.
///
/// It keeps no server alive; of one that has ended, every verb says `errc::no_process`. It never refers
/// to another server, also not to a successor with the same name.
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
  using callbacks_type = Callbacks;

  // Made by the library.
  explicit server_ref(detail::intrusive_ptr<detail::server_core> core) noexcept
      : base(core.detach(), source_location()) {}

  // The hidden argument makes every copy remember where it was made: a verb takes its address by
  // value, and so learns where it was called.
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

  /// Asks the server to end, and waits until it has: `terminate` has run and its names are free.
  ///
  /// The request goes to the end of the mailbox, so that what was sent before is handled first. OTP's
  /// `gen_server:stop/1,3`.
  ///
  /// @param reason   What `terminate` is told.
  /// @param timeout  How long to wait. For ever by default, as in OTP. After it the server goes on
  ///                 ending.
  /// @param token    How the end is told.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::no_process`: it had ended before.
  /// - `errc::exited`: it ended with another reason than this.
  /// - `errc::timeout`: it has not ended in time.
  /// - `errc::calling_self`: a handler cannot wait for its own server's end; it returns `otpp::stop()`.
  /// - `errc::deadlock`: nor for the end of one whose handler waits for its server; see `call`. Nothing is sent.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the server ends all the same.
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
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!std::convertible_to<Token, exit_reason>)
  auto stop(Token&& token = {}) const {
    return stop(exit_reason::normal(), infinite, std::forward<Token>(token));
  }
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto stop(exit_reason reason, Token&& token = {}) const {
    return stop(std::move(reason), infinite, std::forward<Token>(token));
  }
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto stop(exit_reason reason, Duration timeout, Token&& token = {}) const; // stop.hpp

  /// Waits until the server has ended, whatever the cause, and returns the reason. What a monitor is
  /// for in OTP.
  ///
  /// @param token  How the end is told.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, otpp::exit_reason)`
  ///
  /// @par Errors
  /// - `errc::calling_self`: a handler cannot wait for its own server's end.
  /// - `errc::deadlock`: nor for the end of one whose handler waits for its server; see `call`.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`.
  ///
  /// @par Thread safety
  /// Safe from any thread. Of a server that has ended, the reason is still known.
  ///
  /// @par Lifetime
  /// This object may be destroyed at once.
  ///
  /// @par Example
  /// @code
  /// otpp::exit_reason why = co_await server.join();
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
  auto join(Token&& token = {}) const; // stop.hpp

  /// Returns true if the server has ended. It may end at any time: a false is true of the past only.
  bool has_ended() const noexcept { return this->core_->has_ended(); }

  /// Returns the server's number: unique in this program, never used again.
  std::uint64_t id() const noexcept { return this->core_->id(); }

  /// Returns the server behind it, for the library's verbs.
  detail::intrusive_ptr<detail::server_core> core() const& noexcept {
    return detail::intrusive_ptr<detail::server_core>(this->core_);
  }
  detail::intrusive_ptr<detail::server_core> core() && noexcept {
    return detail::intrusive_ptr<detail::server_core>::adopt(std::exchange(this->core_, nullptr));
  }

  friend bool operator==(const server_ref& a, const server_ref& b) noexcept { return a.core_ == b.core_; }
};

} // namespace otpp

template <class Callbacks>
struct std::hash<otpp::server_ref<Callbacks>> {
  std::size_t operator()(const otpp::server_ref<Callbacks>& server) const noexcept {
    return std::hash<std::uint64_t>()(server.id());
  }
};
