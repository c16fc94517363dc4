// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>

#include <cstdint>
#include <type_traits>

#pragma GCC visibility push(default)

// Compile-time diagnostics of users' mistakes, with one sentence for each. Each check returns false if it has
// reported a mistake; dependent code is compiled only if it has not.

namespace otpp::detail {

// Why a message cannot be sent, in the order in which a user would fix the causes.
enum class misfit : std::uint8_t {
  none,
  not_an_address,
  immovable,
  dangling,
  without_reply_type,
  without_state,
  without_handle_call,
  wrong_reply_type,
  without_handle_cast,
  without_handle_info,
};

template <server_core::verb Verb, class M, class Address>
consteval misfit why_not() {
  if constexpr (!address<Address>) {
    return misfit::not_an_address;
  } else if constexpr (!message<M>) {
    return misfit::immovable;
  } else if constexpr (message_borrows<M>()) {
    return misfit::dangling;
  } else if constexpr (Verb == server_core::verb::call && !call_message<M>) {
    return misfit::without_reply_type;
  } else if constexpr (!is_typed_address<Address>) {
    return misfit::none; // the server reports the rest
  } else if constexpr (Verb == server_core::verb::cast) {
    return handles_cast<callbacks_of<Address>, M> ? misfit::none : misfit::without_handle_cast;
  } else if constexpr (Verb == server_core::verb::info) {
    return handles_info<callbacks_of<Address>, M> ? misfit::none : misfit::without_handle_info;
  } else if constexpr (handles_call<callbacks_of<Address>, M>) {
    return call_result_fits<callbacks_of<Address>, M>() ? misfit::none : misfit::wrong_reply_type;
  } else if constexpr (calls_without_state<callbacks_of<Address>, M>) {
    return misfit::without_state;
  } else {
    return misfit::without_handle_call;
  }
}

template <misfit Why>
consteval bool check_misfit() {
  static_assert(
      Why != misfit::not_an_address,
      "otpp: this is no address: a verb takes a server_ref, a server_name, a pid, a string, a via, or a "
      "class "
      "with `otpp::pid resolve() const`");
  static_assert(
      Why != misfit::immovable, "otpp: a message must be movable, and its destructor must not throw");
  static_assert(
      Why != misfit::dangling,
      "otpp: this message would dangle: it is or holds a reference, a string_view, a span, a const char* or "
      "the like, and it outlives what that points to; let it own its data (std::string), or, where the "
      "target is "
      "never destroyed, specialize otpp::borrows as false for the message or for the type of the member");
  static_assert(
      Why != misfit::without_reply_type,
      "otpp: a message for call must name its answer: add `using reply_type = ...;`");
  static_assert(
      Why != misfit::without_state,
      "otpp: handle_call has the wrong number of parameters: it takes (Message, State&) or (Message, "
      "otpp::caller<Message::reply_type>, State&), the state last and by reference");
  static_assert(
      Why != misfit::without_handle_call,
      "otpp: no handle_call for this message: add `reply_type handle_call(Message, State&)` to the "
      "callbacks class");
  static_assert(
      Why != misfit::wrong_reply_type,
      "otpp: handle_call returns the wrong type: it returns Message::reply_type or "
      "otpp::outcome<reply_type>, as a value or as asio::awaitable");
  static_assert(
      Why != misfit::without_handle_cast,
      "otpp: no handle_cast for this message: add `void handle_cast(Message, State&)` to the callbacks "
      "class");
  static_assert(
      Why != misfit::without_handle_info,
      "otpp: no handle_info for this message: add `void handle_info(Message, State&)` to the callbacks "
      "class");
  return Why == misfit::none;
}

// Can this message be sent there by this verb?
template <server_core::verb Verb, class M, class Address>
consteval bool check_sent() {
  return check_misfit<why_not<Verb, M, Address>()>();
}

// The same for an address to which no message is sent.
template <class Address>
consteval bool check_address() {
  return check_misfit<address<Address> ? misfit::none : misfit::not_an_address>();
}

// GCC 12 destroys `M{...}` twice in `co_await call(server, M{...})`, whatever the callee does.
template <class Message, class Token>
consteval bool check_temporary() {
  using M = std::remove_cvref_t<Message>;
  static_assert(
      !destroys_awaited_aggregates_twice || std::is_lvalue_reference_v<Message> || !std::is_aggregate_v<M> ||
          std::is_trivially_copyable_v<M> || !is_use_awaitable<std::decay_t<Token>>,
      "otpp: GCC before 13 destroys an aggregate twice that is made inside a co_await expression: write "
      "`co_await otpp::call<Message>(server, arguments...)`, likewise cast and send, or name the message "
      "first and pass the name");
  return true;
}

// void, outcome<>, or an awaitable of them.
template <class Returned>
consteval bool check_plain_result() {
  static_assert(
      std::is_void_v<unwrapped_t<Returned>> || std::is_same_v<unwrapped_t<Returned>, outcome<>> ||
          std::is_same_v<unwrapped_t<Returned>, no_reply_t>,
      "otpp: handle_cast, handle_info and handle_continue return void or otpp::outcome<>, as a value or "
      "as asio::awaitable");
  return true;
}

// ---- a state by value: it compiles, and what the callback changes is forgotten ----

// The type of the last parameter, of the one overload that takes these before it. Templates are not looked at.
template <class... Before>
struct parameters {
  template <class C, class R, class Last>
  static std::type_identity<Last> last(R (C::*)(Before..., Last));
  template <class C, class R, class Last>
  static std::type_identity<Last> last(R (C::*)(Before..., Last) const);
  template <class R, class Last>
  static std::type_identity<Last> last(R (*)(Before..., Last));
};

struct in_handle_call {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::handle_call))::type;
};
struct in_handle_cast {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::handle_cast))::type;
};
struct in_terminate {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::terminate))::type;
};

template <class Callback, class Callbacks, class... Before>
consteval bool copies_state_after() {
  if constexpr (requires { typename Callback::template last<Callbacks, parameters<Before...>>; }) {
    using last = typename Callback::template last<Callbacks, parameters<Before...>>;
    using state = state_t<Callbacks>;
    return std::is_same_v<last, state> ? !std::is_empty_v<state>
                                       : std::is_arithmetic_v<last> && std::is_arithmetic_v<state>;
  } else {
    return false;
  }
}

template <class Callback, class Callbacks, class First, class... Rest>
consteval bool check_state_parameter() {
  static_assert(
      !copies_state_after<Callback, Callbacks, First, Rest...>() &&
          !copies_state_after<Callback, Callbacks, First&&, Rest...>() &&
          !copies_state_after<Callback, Callbacks, First&, Rest...>() &&
          !copies_state_after<Callback, Callbacks, const First&, Rest...>(),
      "otpp: a callback takes the state by value, so that what it changes there is forgotten: it takes "
      "`State&`, or `const State&` if it only looks");
  return true;
}

template <class Callbacks, class M>
consteval bool check_call_state_parameter() {
  if constexpr (calls_with_caller<Callbacks, M>) {
    return check_state_parameter<in_handle_call, Callbacks, M, caller<reply_t<M>>>();
  } else {
    return check_state_parameter<in_handle_call, Callbacks, M>();
  }
}

template <class Callbacks>
consteval bool check_callbacks() {
  static_assert(
      std::is_default_constructible_v<Callbacks>,
      "otpp: a callbacks class is default-constructible; what it needs belongs in the state that init "
      "makes");
  if constexpr (names_terminate<Callbacks>()) {
    static_assert(
        terminates<Callbacks>,
        "otpp: terminate takes the wrong parameters: it is `void terminate(const otpp::exit_reason&, "
        "State&)`");
    static_assert(check_state_parameter<in_terminate, Callbacks, exit_reason>());
  }
  return true;
}

} // namespace otpp::detail

#pragma GCC visibility pop
