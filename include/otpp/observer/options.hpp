// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/ip/address.hpp>
#include <asio/ip/address_v4.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Where an observer listens, and who may look.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Example
/// @code
/// otpp::observer watch = otpp::observe(otpp::observer_options().port(0).quiet());
/// @endcode
class observer_options {
 public:
  /// The port 4040 of 127.0.0.1, for this machine only.
  observer_options() = default;

  /// Sets the port.
  ///
  /// @param number  4040 by default; zero takes any that is free (`observer::port`).
  observer_options& port(std::uint16_t number) & noexcept {
    port_ = number;
    return *this;
  }
  observer_options port(std::uint16_t number) && noexcept { return std::move(port(number)); }

  /// Sets the address at which it listens. Others than those of this machine alone need `allow_remote`.
  ///
  /// @param text  That of one network interface, or `0.0.0.0` or `::` for all. Throws std::invalid_argument
  ///              if it is no IP address; a name of a host is none.
  observer_options& address(const std::string& text) & {
    std::error_code error;
    asio::ip::address made = asio::ip::make_address(text, error);
    if (error) {
      throw std::invalid_argument(
          "otpp: observer_options: \"" + text + "\" is no IP address, such as 127.0.0.1");
    }
    address_ = made;
    return *this;
  }
  observer_options address(const std::string& text) && { return std::move(address(text)); }

  /// Lets other machines look, if they know a token. It listens on all interfaces then, unless an address is
  /// set.
  ///
  /// Neither the data nor the token is encrypted: use it in a network that you trust, or behind a proxy that
  /// encrypts. With the address 127.0.0.1 it wants the token on this machine only.
  ///
  /// @param token  What they give as `?token=`, or as `Authorization: Bearer`. Throws std::invalid_argument
  ///               if it is empty.
  observer_options& allow_remote(std::string token) & {
    if (token.empty()) {
      throw std::invalid_argument("otpp: observer_options: an empty token would let everybody look");
    }
    token_ = std::move(token);
    return *this;
  }
  observer_options allow_remote(std::string token) && { return std::move(allow_remote(std::move(token))); }

  /// Leaves out the line on stderr that says where it listens.
  ///
  /// @param is  False prints it, as by default.
  observer_options& quiet(bool is = true) & noexcept {
    is_quiet_ = is;
    return *this;
  }
  observer_options quiet(bool is = true) && noexcept { return std::move(quiet(is)); }

  /// Measures each message of every process, for the histograms `otpp_handler_duration_seconds` and
  /// `otpp_mailbox_wait_seconds` of `/metrics`.
  ///
  /// @param are  Off by default: it subscribes to `otpp::trace_event`, so that a message costs several times
  ///             as much, for as long as the observer lives.
  observer_options& histograms(bool are = true) & noexcept {
    has_histograms_ = are;
    return *this;
  }
  observer_options histograms(bool are = true) && noexcept { return std::move(histograms(are)); }

  /// Returns the port; zero means any.
  std::uint16_t port() const noexcept { return port_; }

  /// Returns the address; if none was set, 127.0.0.1, or 0.0.0.0 with a token.
  asio::ip::address address() const noexcept {
    if (address_) {
      return *address_;
    }
    return token_.empty() ? asio::ip::address_v4::loopback() : asio::ip::address_v4::any();
  }

  /// Returns the token; empty if none is wanted.
  const std::string& token() const noexcept { return token_; }

  /// Returns true if the line on stderr is left out.
  bool is_quiet() const noexcept { return is_quiet_; }

  /// Returns true if each message is measured.
  bool has_histograms() const noexcept { return has_histograms_; }

 private:
  std::uint16_t port_ = 4040;
  std::optional<asio::ip::address> address_;
  std::string token_;
  bool is_quiet_ = false;
  bool has_histograms_ = false;
};

} // namespace otpp

#pragma GCC visibility pop
