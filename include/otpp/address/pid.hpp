// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

struct any_callbacks; // of a process whose callbacks do not matter

} // namespace detail

/// A reference to a process of any type: a server, or a coroutine that `spawn` has started. Erlang's pid.
///
/// Converts implicitly from a `server_ref`; `as<Callbacks>()` converts back. Like a `server_ref` it keeps no
/// process alive, and never refers to another process. An address for `call`, `cast` and `send`, which look
/// the message up in the server's `messages`, as they do for a string.
///
/// A default-constructed or moved-from one is nobody (docs/architecture.md, "Handles"): it converts to false,
/// and every verb fails with `errc::no_process`.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Lifetime
/// May outlive the process, its context and the registry.
class pid {
 public:
  /// Nobody.
  pid() noexcept = default;

  /// The process of a server.
  ///
  /// @param server  The server; of a reference to nobody it is nobody.
  template <class Callbacks>
  pid(const server_ref<Callbacks>& server) noexcept : core_(detail::access::core(server)) {}
  template <class Callbacks>
  pid(server_ref<Callbacks>&& server) noexcept : core_(detail::access::core(std::move(server))) {}

  /// False for nobody.
  explicit operator bool() const noexcept { return static_cast<bool>(core_); }

  /// Returns the id of the process: unique in this program, never reused. Zero for nobody.
  std::uint64_t id() const noexcept { return core_ ? core_->id() : 0; }

  /// Returns true if the process has ended, and for nobody. The process may end at any time, so false may be
  /// stale.
  bool has_ended() const noexcept { return !core_ || core_->has_ended(); }

  /// Returns it as text: `"counter"`, or `counter#7` for a process that was started without a name.
  std::string describe() const { return core_ ? core_->describe() : "nobody"; }

  /// Returns the typed reference, or nothing if the process has other callbacks.
  template <class Callbacks>
  std::optional<server_ref<Callbacks>> as() const {
    if (!core_ || !detail::has_callbacks<Callbacks>(*core_)) {
      return std::nullopt;
    }
    return detail::access::make<server_ref<Callbacks>>(core_);
  }

  /// Waits until the process has ended, whatever the cause, and returns the reason: as `server_ref::join`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
  auto join(Token&& token = {}) const {
    return detail::start_join(core_, std::forward<Token>(token));
  }

  /// Asks the process to end, and waits until it has: as `server_ref::stop`. A spawned coroutine is cancelled
  /// at once, with `otpp::ahead` or without.
  ///
  /// @param args  What `server_ref::stop` takes: a reason, a timeout, `otpp::ahead` and a completion token,
  ///              in this order; each may be left out, but a timeout stands after a reason only.
  template <class... Args>
  auto stop(Args&&... args) const {
    return detail::access::make<server_ref<detail::any_callbacks>>(core_).stop(std::forward<Args>(args)...);
  }

  /// Lets the process finish what it has, and ends it: as `server_ref::drain`.
  ///
  /// @param args  What `server_ref::drain` takes: how long it may take, and then, if wanted, a reason and a
  ///              completion token.
  template <class... Args>
  auto drain(Args&&... args) const {
    return detail::access::make<server_ref<detail::any_callbacks>>(core_).drain(std::forward<Args>(args)...);
  }

  friend bool operator==(const pid& a, const pid& b) noexcept { return a.core_ == b.core_; }

  /// Prints `describe()`.
  template <class Stream>
    requires requires(Stream& out, const std::string& text) { out.write(text.data(), 1) << text; }
  friend Stream& operator<<(Stream& out, const pid& who) {
    out << who.describe();
    return out;
  }

 private:
  friend struct detail::access;

  explicit pid(detail::intrusive_ptr<detail::server_core> core) noexcept : core_(std::move(core)) {}

  const detail::intrusive_ptr<detail::server_core>& core() const& noexcept { return core_; }
  detail::intrusive_ptr<detail::server_core> core() && noexcept { return std::move(core_); }

  detail::intrusive_ptr<detail::server_core> core_;
};

} // namespace otpp

template <>
struct std::hash<otpp::pid> {
  std::size_t operator()(const otpp::pid& who) const noexcept { return std::hash<std::uint64_t>()(who.id()); }
};

#pragma GCC visibility pop
