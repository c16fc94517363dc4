// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/process/co_spawn.hpp>
#include <otpp/process/detail/piped_message.hpp>
#include <otpp/process/detail/piped_operation.hpp>
#include <otpp/process/self.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/this_coro.hpp>

#include <exception>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

template <class Operation, class ToMessage>
struct pipe_of {
  using message_type = piped_message_t<ToMessage, piped_results_t<Operation>>;

  static asio::awaitable<void> run(destination to, Operation operation, ToMessage to_message) {
    auto begun = settle_operation(std::move(operation));
    auto results = co_await std::move(begun);
    asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() == asio::cancellation_type::none) { // else the server ends
      push_piped(
          *to.server, envelope_ptr(new plain_message<message_type>(
                          to.open, std::apply(to_message, std::move(results)), to.where)));
    }
  }
};

template <class Next, class ToMessage>
struct stream_of {
  using operation = std::invoke_result_t<Next&>;
  using message_type = piped_message_t<ToMessage, piped_results_t<operation>>;

  static asio::awaitable<void> run(destination to, Next next, ToMessage to_message) {
    for (bool is_over = false; !is_over;) {
      operation one = next();
      auto begun = settle_operation(std::move(one));
      auto results = co_await std::move(begun);
      asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
      if (cancellation.cancelled() != asio::cancellation_type::none) {
        co_return; // the server ends
      }
      is_over = ends_stream(results);
      stream_message_ptr<message_type> item(
          new stream_message<message_type>(to.open, std::apply(to_message, std::move(results))));
      co_await deliver_in_turn<message_type>(to.server, std::move(item));
    }
  }
};

// Where the messages go: to the process that is running. Throws if there is none, or if it does not handle
// them.
template <class Callbacks, class M>
destination own_destination(std::string_view verb) {
  const purpose why{verb, &type_name<M>, false};
  destination to;
  if constexpr (std::is_void_v<Callbacks>) {
    to = resolve_for<server_core::verb::info, M>(self(), why);
  } else {
    to = resolve_for<server_core::verb::info, M>(self<Callbacks>(), why);
  }
  if (to.error) {
    std::rethrow_exception(std::move(to.error));
  }
  return to;
}

template <class Callbacks, class M>
consteval bool check_piped() {
  using address = std::conditional_t<std::is_void_v<Callbacks>, pid, server_ref<Callbacks>>;
  return check_sent<server_core::verb::info, M, address>();
}

} // namespace detail

/// Starts an operation, and has its result sent to the server whose callback calls this, as a message for
/// `handle_info`.
///
/// The callback returns at once, and the server goes on with its messages; where the operation has completed,
/// successfully or not, one message comes, which `to_message` makes. The operation belongs to the server, as
/// a coroutine of `co_spawn` does: it runs on the server's executor, may use the state, begins after the
/// callback has returned, and ends with the server, which cancels it. Then no message comes.
///
/// The message needs no room in a limited mailbox, as a timer's does not: each is the answer to something
/// that the server has begun itself.
///
/// @tparam Callbacks  The callbacks class of the server that calls this: then the compiler checks that it
///                    handles the message. Without it the message is looked up in the server's list of
///                    `messages` when this is called. In the body of a spawned process none is needed.
/// @param operation   An `asio::awaitable<T>`; a function without parameters that returns one, which is kept
///                    until that is over; or an operation of Asio that waits for its token, as one with
///                    `asio::deferred` (`asio::experimental` before Asio 1.23), or a `[](auto token) {...}`
///                    that starts it.
/// @param to_message  Makes the message of what a completion handler would be given: of a coroutine
///                    `(std::exception_ptr, T)`, as with `asio::co_spawn`, and `(std::exception_ptr)` of one
///                    that returns nothing; of an operation of Asio its own arguments, such as
///                    `(std::error_code, std::size_t)`. Runs on the server's executor; may use the state.
///
/// @par Errors
/// Throws `errc::no_process` if it is not called inside a process, or in one of other callbacks, or if that
/// has ended; `errc::bad_message` if the server does not list the message. Then nothing is started. What the
/// operation fails with goes to `to_message`. What `to_message` throws ends the server, as an exception of a
/// callback does.
///
/// @par Cancellation
/// Only with the server.
///
/// @par Thread safety
/// Called in a callback, or elsewhere on the executor of the process.
///
/// @par Lifetime
/// The operation, `to_message` and their captures are destroyed before the state.
///
/// @par Example
/// @code
/// struct found { std::exception_ptr error; std::string value; };
///
/// void handle_cast(find request, state& s) {
///   otpp::pipe<shop>(look_up(request.key), [](std::exception_ptr error, std::string value) {
///     return found{std::move(error), std::move(value)};
///   });
/// }
/// void handle_info(found result, state& s);
/// @endcode
///
/// OTP: a linked process that works, and sends its result. Akka calls it `pipeTo` and `pipeToSelf`.
///
/// @see pipe_each, for operations that give one result after another.
template <class Callbacks = void, class Operation, class ToMessage>
void pipe(Operation&& operation, ToMessage&& to_message) {
  using work = std::decay_t<Operation>;
  using make = std::decay_t<ToMessage>;
  if constexpr (detail::check_operation<Operation>()) {
    if constexpr (detail::check_to_message<make, detail::piped_results_t<work>>()) {
      using piped = detail::pipe_of<work, make>;
      if constexpr (detail::check_piped<Callbacks, typename piped::message_type>()) {
        otpp::co_spawn(piped::run(
            detail::own_destination<Callbacks, typename piped::message_type>("pipe"),
            std::forward<Operation>(operation), std::forward<ToMessage>(to_message)));
      }
    }
  }
}

/// Starts one operation after another, and has the result of each sent to the server whose callback calls
/// this.
///
/// For streams: a channel, a generator, a socket that is read. `next` is called for the first operation; when
/// that has completed, its message is sent, and `next` is called again as soon as the message has left the
/// mailbox, when its handler begins. So at most one message of a stream is in the mailbox at any time, and a
/// source that is faster than the server waits for it, whether the mailbox has a limit or not. Where the
/// handler is a coroutine, the next operation begins while it waits.
///
/// The stream ends with the first result that has an error, or whose last part is a `std::optional` without a
/// value; that comes as a message, too. And it ends with the server, without a message.
///
/// @param next        A function without parameters that returns an operation as `pipe` takes it: an
///                    `asio::awaitable<std::optional<T>>`, or `channel.async_receive(asio::deferred)`. It is
///                    kept until the stream is over, and runs on the server's executor. What it refers to
///                    must live as long as the state.
/// @param to_message  As for `pipe`; called for each result.
///
/// All else as `pipe`; what `next` throws ends the server.
///
/// @par Example
/// @code
/// struct line { std::error_code error; std::string text; };
///
/// void handle_continue(begin, state& s) {
///   otpp::pipe_each<reader>(
///       [&s] { return s.lines.async_receive(asio::deferred); },
///       [](std::error_code error, std::string text) { return line{error, std::move(text)}; });
/// }
/// @endcode
///
/// OTP: `{active, once}` of a socket.
template <class Callbacks = void, class Next, class ToMessage>
void pipe_each(Next&& next, ToMessage&& to_message) {
  using source = std::decay_t<Next>;
  using make = std::decay_t<ToMessage>;
  static_assert(
      std::is_invocable_v<source&>,
      "otpp: pipe_each takes a function without parameters that returns the next operation");
  if constexpr (std::is_invocable_v<source&>) {
    using operation = std::invoke_result_t<source&>;
    if constexpr (detail::check_operation<operation>()) {
      if constexpr (detail::check_to_message<make, detail::piped_results_t<operation>>()) {
        using stream = detail::stream_of<source, make>;
        if constexpr (detail::check_piped<Callbacks, typename stream::message_type>()) {
          otpp::co_spawn(stream::run(
              detail::own_destination<Callbacks, typename stream::message_type>("pipe_each"),
              std::forward<Next>(next), std::forward<ToMessage>(to_message)));
        }
      }
    }
  }
}

} // namespace otpp

#pragma GCC visibility pop
