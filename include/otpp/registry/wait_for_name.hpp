// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/error.hpp>
#include <otpp/registry/detail/name_table.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// The table of names owns the server half while the wait is on its list.
template <class Callbacks>
class name_request : public answer_slot<server_ref<Callbacks>>, public name_waiter {
 public:
  name_request(std::string wanted, std::shared_ptr<name_table> in) noexcept
      : name_waiter(std::move(wanted), std::move(in)) {}

  void name_found(intrusive_ptr<server_core> found) noexcept override {
    this->answer_with([&]() noexcept { write_found(std::move(found)); });
  }

  // Writes the answer. Precondition: the slot was claimed.
  void write_found(intrusive_ptr<server_core> found) noexcept {
    if (has_callbacks<Callbacks>(*found)) {
      this->emplace(access::make<server_ref<Callbacks>>(std::move(found)));
    } else {
      this->server = intrusive_ptr<process>(found.get());
      this->write_error(this->say(errc::bad_message));
      this->set_said(errc()); // which is no failure of a call
    }
  }
  void name_lost() noexcept override { this->fail(errc::no_process); }

  // The caller is about to be resumed or destroyed. Without this the operation would stay until the name comes.
  void caller_leaves() noexcept {
    if (take_back()) {
      this->release_server_half();
    }
  }
  bool is_over() const noexcept override { return this->decided(); }

 protected:
  ~name_request() override = default;
  std::string_view operation() const noexcept override { return "wait_for_name"; }
  std::string_view message() const noexcept override { return name; }
};

template <class Callbacks>
struct initiate_wait_for_name : initiation {
  template <class Handler>
  void operator()(Handler&& handler, std::string name, duration timeout, registry* in) {
    using request = operation<name_request<Callbacks>, server_ref<Callbacks>, std::decay_t<Handler>>;
    unregistered<request> wait = make_operation<request>(
        std::forward<Handler>(handler), asio::any_io_executor(asio::system_executor()), std::move(name),
        access::table(*in));
    if (!wait) {
      return;
    }
    wait->timeout = timeout;
    if (timeout < duration::zero()) {
      refuse(std::move(wait), errc::timeout);
    } else if (intrusive_ptr<server_core> found = access::core(in->find(wait->name))) {
      complete(std::move(wait), [&](request& one) noexcept { one.write_found(std::move(found)); });
    } else if (server_half<request> one = register_wait(std::move(wait))) {
      one.release()->begin();
    }
  }
};

} // namespace detail

/// Waits until a name is registered, and returns its server; at once if it is registered already.
///
/// The name is registered before its server's `init` has run: a message that is sent to it then is handled
/// after `init`.
///
/// @param name     The name to wait for; kept by value.
/// @param timeout  How long to wait at most: five seconds by default. Zero looks once; negative is
///                 `errc::timeout`; `otpp::infinite` waits forever.
/// @param in       The registry in which it is to be registered.
/// @param token    A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_ref<Callbacks>)`
///
/// @par Errors
/// - `errc::timeout`: the name was not registered in time.
/// - `errc::bad_message`: it belongs to a server with other callbacks.
/// - `errc::no_process`: the registry was destroyed.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// The registry must exist when the wait begins; it may be destroyed during the wait.
///
/// @par Example
/// @code
/// auto server = co_await otpp::wait_for_name<counter>("counter", 1s);
/// @endcode
template <class Callbacks, detail::timeout_like Duration = duration, class Token = asio::use_awaitable_t<>>
auto wait_for_name(
    std::string name, Duration timeout = default_timeout, registry& in = registry::global(),
    Token&& token = {}) {
  return detail::initiate<server_ref<Callbacks>>(
      detail::initiate_wait_for_name<Callbacks>(), std::forward<Token>(token), std::move(name),
      detail::saturate(timeout), &in);
}

} // namespace otpp

#pragma GCC visibility pop
