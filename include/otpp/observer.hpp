// SPDX-License-Identifier: BSL-1.0

/// Looks into a running program: a page, the same as JSON and as text, and metrics. OTP's application observer.
///
/// A header of its own, which needs a parser of HTTP: the target `otpp::observer` of CMake links it.

#pragma once

#include <otpp/observer/detail/service.hpp>
#include <otpp/observer/options.hpp>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// An observer that listens, for as long as this object lives (`observe`).
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
class [[nodiscard]] observer {
 public:
  /// Makes a handle of no observer.
  observer() noexcept = default;
  observer(observer&&) noexcept = default;
  observer& operator=(observer&&) noexcept = default;
  ~observer() = default;

  /// Returns true while an observer listens.
  explicit operator bool() const noexcept { return service_ != nullptr; }

  /// Returns the URL of the page, such as `http://127.0.0.1:4040/`, without the token; empty for a handle of none. If it
  /// listens on all interfaces, the host is `0.0.0.0` or `[::]`: put the name of the machine there.
  const std::string& url() const noexcept { return url_; }

  /// Returns the port on which it listens, or has listened.
  std::uint16_t port() const noexcept { return port_; }

  /// Ends it at once, as its destructor does: connections are closed, its thread has ended when this returns. Has no
  /// effect on one that was stopped.
  void stop() noexcept { service_.reset(); }

 private:
  friend observer observe(const observer_options& how);

  std::unique_ptr<detail::observer_service> service_;
  std::string url_;
  std::uint16_t port_ = 0;
};

/// Starts an observer, which serves a page that shows this program, and returns its handle. OTP's `observer:start/0`.
///
/// It only reads, and asks no process anything but for its `format_status`, when somebody clicks on that. It has a thread of
/// its own, so that it shows a program that is stuck, too. While nobody looks it counts nothing and wakes up for
/// nothing, but hears of crashes, of what supervisors report, and of ends; while somebody does, it looks at all processes once a
/// second, and each of them counts (`counting`). What is otherwise printed on stderr still is.
///
/// docs/observing.md has what one sees, the endpoints and the metrics.
///
/// @param how  Where it listens; by default at 127.0.0.1:4040, for this machine only. Unless it is to be quiet, it says so on
///             stderr: `otpp: observer at http://127.0.0.1:4040/`.
///
/// @par Errors
/// std::system_error, which names the address and the port, if it cannot listen there or has no thread;
/// std::invalid_argument if other machines can reach the address and there is no token (`allow_remote`); std::bad_alloc.
///
/// @par Thread safety
/// Safe from any thread. Several may listen, on different ports.
///
/// @par Lifetime
/// The observer ends when the handle is destroyed, which waits for its thread. Contexts and servers may end before it or
/// after.
///
/// @par Example
/// @code
/// #include <otpp/observer.hpp> // link otpp::observer
///
/// int main() {
///   otpp::observer watch = otpp::observe();
///   return otpp::run(client);
/// }
/// @endcode
[[nodiscard]] inline observer observe(const observer_options& how = {}) {
  observer made;
  made.service_ = std::make_unique<detail::observer_service>(how);
  const asio::ip::tcp::endpoint where = made.service_->local_endpoint();
  const std::string address = where.address().to_string();
  made.port_ = where.port();
  made.url_ = "http://" + (where.address().is_v6() ? '[' + address + ']' : address) + ':' +
              std::to_string(made.port_) + '/';
  if (!how.is_quiet()) {
    std::fprintf(stderr, "otpp: observer at %s\n", made.url_.c_str());
  }
  return made;
}

} // namespace otpp

#pragma GCC visibility pop
