// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/outcome.hpp>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_awaitable.hpp>

#include <concepts>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

class replying : public answer_slot<void> {
 protected:
  ~replying() override = default;
  std::string_view operation() const noexcept override { return "reply"; }
};

struct initiate_done : initiation {
  template <class Handler>
  void operator()(Handler&& handler) {
    using request = operation<replying, void, std::decay_t<Handler>>;
    unregistered<request> done = make_operation<request>(
        std::forward<Handler>(handler), asio::any_io_executor(asio::system_executor()));
    if (done) {
      complete(std::move(done), [](request& one) noexcept { one.emplace(); });
    }
  }
};

template <class Token>
auto complete_at_once(Token&& token) {
  return initiate<void>(initiate_done(), std::forward<Token>(token));
}

} // namespace detail

/// Answers a call later, from any coroutine. OTP's `gen_server:reply/2`.
///
/// It makes no difference whether the call was still waiting; `caller::reply` returns that. The answer is
/// given when this function is called, before the result is awaited.
///
/// @param to     The caller to answer; moved from.
/// @param value  The answer, converted to the call's `reply_type`.
/// @param token  A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// None: an answer that comes too late is dropped.
///
/// @par Cancellation
/// None: it completes at once.
///
/// @par Thread safety
/// Safe from any thread. The caller is resumed on its own executor.
///
/// @par Lifetime
/// The server, the caller and their contexts may have been destroyed.
///
/// @par Example
/// @code
/// co_await otpp::reply(std::move(caller), "done");
/// @endcode
template <class Reply, class Value, class Token = asio::use_awaitable_t<>>
  requires std::convertible_to<Value, detail::stored_t<Reply>>
auto reply(caller<Reply> to, Value&& value, Token&& token = {}) {
  to.reply(std::forward<Value>(value));
  return detail::complete_at_once(std::forward<Token>(token));
}

/// Answers a call whose `reply_type` is void. All else as above.
///
/// @param to     The caller to answer; moved from.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <class Token = asio::use_awaitable_t<>>
auto reply(caller<void> to, Token&& token = {}) {
  to.reply();
  return detail::complete_at_once(std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
