// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/request/detail/set_state.hpp>
#include <otpp/request/response.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/use_awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The result of `request_set::next`: the label of a request, and its response. Has constructors, so that it
/// is not an aggregate.
template <class Label, class Reply>
struct labeled_response {
  labeled_response() = default;
  labeled_response(Label&& of, response<Reply>&& what) noexcept
      : label(std::move(of)), answer(std::move(what)) {}

  Label label;            ///< What the request was added with.
  response<Reply> answer; ///< The answer, or the error in its place.
};

/// Requests that were sent, each with a label; their responses are returned in the order in which they
/// arrive. OTP's `request_id_collection()`.
///
/// Destroying the set abandons its requests, and ends a wait with `asio::error::operation_aborted`. A
/// moved-from set is empty, and can be used again.
///
/// @tparam Label  The label of a request; its move must not throw.
/// @tparam Reply  The common `reply_type` of the requests.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe; one `next` at a time. A second one ends the first with
/// `asio::error::operation_aborted`.
///
/// @par Lifetime
/// May outlive the servers and their contexts.
///
/// @par Example
/// @code
/// otpp::request_set<std::string, int> prices;
/// for (const auto& shop : shops) {
///   prices.add(shop.name, otpp::send_request<price>(shop.server, "tea"));
/// }
/// while (!prices.empty()) {
///   auto next = co_await prices.next();
///   offer(next.label, next.answer.value()); // which throws what went wrong
/// }
/// @endcode
template <class Label, class Reply>
class request_set {
  static_assert(
      std::is_nothrow_move_constructible_v<Label>, "otpp: the move of a request_set's label must not throw");
  using state = detail::set_state<Label, Reply>;

 public:
  /// The type of a request's label.
  using label_type = Label;
  /// The type of the answers.
  using reply_type = Reply;
  /// What `next` returns.
  using value_type = labeled_response<Label, Reply>;

  request_set() : state_(new state) {}
  request_set(request_set&& other) noexcept = default;
  request_set& operator=(request_set&& other) noexcept {
    if (this != &other) {
      clear();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~request_set() { clear(); }

  /// Adds a request. If it throws std::bad_alloc, the request is abandoned.
  ///
  /// @param label    What `next` returns with the response; converted to `Label`. Two requests may have the
  ///                 same.
  /// @param request  Moved into the set. Throws std::invalid_argument if it refers to no request, or its
  ///                 answer was taken.
  template <std::convertible_to<Label> L>
  void add(L&& label, request_handle<Reply>&& request) {
    if (!request.is_open()) {
      throw std::invalid_argument("otpp: request_set::add needs a request whose answer was not taken");
    }
    requests().add(Label(std::forward<L>(label)), detail::access::release(std::move(request)));
  }

  /// Returns the number of requests whose response has not been returned by `next`.
  std::size_t size() const noexcept { return state_ ? state_->size() : 0; }
  /// Returns true if `size()` is zero, so that `next` would have nothing to wait for.
  bool empty() const noexcept { return size() == 0; }

  /// Abandons all requests.
  void clear() noexcept {
    if (state_) {
      state_->clear();
    }
  }

  /// Waits for the next response, takes its request out of the set, and returns the answer or the error with
  /// its label. Responses that have already arrived are returned at once, in the order of their arrival.
  /// OTP's `gen_server:wait_response/3`, with `Delete`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, otpp::labeled_response<Label, Reply>)`
  ///
  /// @par Errors
  /// - `errc::timeout`: no response in time. All requests stay in the set.
  /// - `std::logic_error`: the set is empty. OTP's `no_request`.
  ///
  /// - `errc::calling_self`: a handler would wait for its own server's answer, and for no other.
  /// - `errc::deadlock`: a handler would wait for servers all of which wait for this one, as described for `call`. All
  /// requests stay in the set.
  ///
  /// The error of a request is not an error of `next`: it is in the response, with the label. A request that is added
  /// during the wait of a handler comes too late to prevent a report of a deadlock.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`. All requests stay in the set. But `next() || timer` may
  /// drop a response that was taken out, and its label, as `||` drops what is second; `next(timeout)` returns it, or
  /// leaves it in the set.
  ///
  /// @par Thread safety
  /// Distinct sets: safe.
  ///
  /// @par Lifetime
  /// As for the set.
  ///
  /// @par Example
  /// @code
  /// auto next = co_await prices.next(1s);
  /// if (next.answer.has_value()) {
  ///   std::cout << next.label << ": " << next.answer.value() << '\n';
  /// }
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto next(Token&& token = {}) {
    return next(infinite, std::forward<Token>(token));
  }

  /// Waits for the next response for a limited time. All else as above.
  ///
  /// @param timeout  How long to wait at most. Zero takes only a response that has arrived; `otpp::infinite`
  ///                 waits forever.
  /// @param token    A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto next(Duration timeout, Token&& token = {}) {
    requests();
    return detail::initiate<value_type>(
        detail::initiate_next<Label, Reply>(state_, detail::saturate(timeout)), std::forward<Token>(token));
  }

 private:
  state& requests() {
    if (!state_) {
      state_ = detail::intrusive_ptr<state>(new state); // it was moved from
    }
    return *state_;
  }

  detail::intrusive_ptr<state> state_;
};

} // namespace otpp

#pragma GCC visibility pop
