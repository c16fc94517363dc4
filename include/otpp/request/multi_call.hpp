// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/dispatch/post_message.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/request/detail/multi_wait.hpp>
#include <otpp/request/response.hpp>

#include <cstddef>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Sends the same question to several servers at once, and waits for all their answers; builds the message in
/// place. OTP's `gen_server:multi_call/2,3,4`.
///
/// It takes as long as the slowest server, and at most `timeout`. The result has one `response` for each
/// address, in order: the answer, or the error with which a `call` would have failed. The request of a server
/// that has not answered in time is abandoned, and its late answer is dropped.
///
/// @param addresses  A range of any `address`. An address that occurs twice is asked twice.
/// @param timeout    How long to wait for all of them together; `otpp::infinite` waits forever.
/// @param args       The arguments from which the message is constructed; each server gets a copy. If it
/// cannot be constructed from all of them, the last is a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, std::vector<otpp::response<Message::reply_type>>)`
///
/// @par Errors
/// Any exception from copying the message, and `std::bad_alloc`; then nothing was sent. The errors of single
/// servers are in their responses: as for `call`, with `errc::timeout` for those that answered too late and
/// `errc::calling_self` for a handler's own server; `errc::deadlock` as for `call`, for the servers whose answers would
/// never come, and which are not asked.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`, and abandon the requests. `multi_call || timer` may drop
/// all answers; with `timeout` there are those that have come.
///
/// @par Thread safety
/// As `call`.
///
/// @par Lifetime
/// The addresses are copied before this returns; a `server_name` and a `via` view their text.
///
/// @par Example
/// @code
/// auto answers = co_await otpp::multi_call<node::load>(nodes, 1s);
/// for (std::size_t i = 0; i != nodes.size(); ++i) {
///   std::cout << i << ": " << (answers[i] ? std::to_string(answers[i].value()) : "no answer") << '\n';
/// }
/// @endcode
template <class Message, class Range, detail::timeout_like Duration, class... Args>
auto multi_call(const Range& addresses, Duration timeout, Args&&... args) {
  if constexpr (detail::check_sent_to_all<detail::server_core::verb::call, Message, Range>()) {
    return detail::make_and_send<Message>(
        [&]<class Token>(Message&& content, Token&& token) {
          return detail::start_multi_call(
              addresses, detail::saturate(timeout), std::move(content), std::forward<Token>(token));
        },
        std::forward<Args>(args)...);
  }
}

/// Casts the same message to several servers, and returns how many have taken it; builds the message in
/// place. Never waits: a server that has ended, an unknown name and a full mailbox do not count. OTP's
/// `gen_server:abcast/2,3`.
///
/// @param addresses  A range of any `address`. One that occurs twice gets the message twice.
/// @param args       The arguments from which the message is constructed; each server gets a copy.
///
/// @par Errors
/// Any exception from constructing the message; then nothing was sent. A copy that cannot be made is not
/// sent.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Example
/// @code
/// std::size_t reached = otpp::broadcast<cache::invalidate>(nodes, key);
/// @endcode
template <class Message, class Range, class... Args>
std::size_t broadcast(const Range& addresses, Args&&... args) {
  static_assert(detail::makes<Message, Args...>, "otpp: the message cannot be made from these arguments");
  std::size_t taken = 0;
  if constexpr (
      detail::check_sent_to_all<detail::server_core::verb::cast, Message, Range>() &&
      detail::makes<Message, Args...>) {
    const Message pattern = detail::make_message<Message>(std::forward<Args>(args)...);
    for (const auto& one : addresses) {
      detail::element_t<const Range> to = one;
      taken += detail::try_post<detail::server_core::verb::cast, Message>(std::move(to), pattern) ? 1u : 0u;
    }
  }
  return taken;
}

} // namespace otpp

#pragma GCC visibility pop
