// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/narrowing.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// Compile-time diagnostics of users' mistakes, with one sentence for each. Each check returns false if it has
// reported a mistake; dependent code is compiled only if it has not.

namespace otpp::detail {

// ---- a message that cannot be sent ----

// Why it cannot, in the order in which a user would fix the causes.
enum class misfit : std::uint8_t {
  none,
  not_awaited,
  not_an_address,
  immovable,
  dangling,
  without_reply_type,
  without_state,
  without_handle_call,
  wrong_reply_type,
  wrong_caller,
  without_handle_cast,
  without_handle_info,
  without_handle_event,
  by_reference,
  ambiguous,
  wrong_state,
  not_public,
  for_call,
  for_cast,
  for_send,
};

// Does another verb reach a handler for this message?
template <class Callbacks, class M>
consteval misfit find_verb(misfit otherwise) {
  if constexpr (handles_call<Callbacks, M>) {
    return misfit::for_call;
  } else if constexpr (handles_cast<Callbacks, M>) {
    return misfit::for_cast;
  } else if constexpr (handles_info<Callbacks, M>) {
    return misfit::for_send;
  } else {
    return otherwise;
  }
}

// Precondition: the callback cannot be called with this message.
template <class Callback, class Callbacks, class M>
consteval misfit why_not_taken(misfit absent) {
  constexpr std::size_t found = count_overloads<Callback, Callbacks, M>();
  if constexpr (Callback::template accepts<Callbacks, M&>) {
    return misfit::by_reference;
  } else if constexpr (found > 1) {
    return misfit::ambiguous;
  } else if constexpr (found == 1) {
    return misfit::wrong_state;
  } else if constexpr (is_noted<Callback, Callbacks, M>()) {
    return misfit::not_public;
  } else {
    return find_verb<Callbacks, M>(absent);
  }
}

template <class Callbacks, class M>
consteval misfit why_not_called() {
  if constexpr (handles_call<Callbacks, M>) {
    return call_result_fits<Callbacks, M>() ? misfit::none : misfit::wrong_reply_type;
  } else if constexpr (calls_without_state<Callbacks, M>) {
    return misfit::without_state;
  } else if constexpr (in_handle_call::accepts_caller<Callbacks, M>) {
    return misfit::wrong_caller;
  } else if constexpr (count_overloads<in_handle_call, Callbacks, M, caller<reply_t<M>>>() > 1) {
    return misfit::ambiguous;
  } else {
    return why_not_taken<in_handle_call, Callbacks, M>(misfit::without_handle_call);
  }
}

// True for the callbacks of a state machine, which has one name for all its handlers (gen_statem/).
template <class Callbacks>
concept chooses_by_state = requires { typename Callbacks::given_states; };

template <server_core::verb Verb, class Callbacks, class M>
consteval misfit why_not_in_a_state() {
  constexpr bool is_handled =
      Verb == server_core::verb::call ? handles_call<Callbacks, M> : handles_cast<Callbacks, M>;
  return is_handled ? misfit::none : find_verb<Callbacks, M>(misfit::without_handle_event);
}

template <server_core::verb Verb, class M, class Address>
consteval misfit why_not() {
  if constexpr (is_awaitable<Address>) {
    return misfit::not_awaited;
  } else if constexpr (!address<Address>) {
    return misfit::not_an_address;
  } else if constexpr (!message<M>) {
    return misfit::immovable;
  } else if constexpr (message_borrows<M>()) {
    return misfit::dangling;
  } else if constexpr (Verb == server_core::verb::call && !call_message<M>) {
    if constexpr (is_typed_address<Address>) {
      return find_verb<callbacks_of<Address>, M>(misfit::without_reply_type);
    } else {
      return misfit::without_reply_type;
    }
  } else if constexpr (!is_typed_address<Address>) {
    return misfit::none; // the server reports the rest
  } else if constexpr (chooses_by_state<callbacks_of<Address>>) {
    return why_not_in_a_state<Verb, callbacks_of<Address>, M>();
  } else if constexpr (Verb == server_core::verb::call) {
    return why_not_called<callbacks_of<Address>, M>();
  } else if constexpr (Verb == server_core::verb::cast) {
    if constexpr (handles_cast<callbacks_of<Address>, M>) {
      return misfit::none;
    } else {
      return why_not_taken<in_handle_cast, callbacks_of<Address>, M>(misfit::without_handle_cast);
    }
  } else {
    if constexpr (handles_info<callbacks_of<Address>, M>) {
      return misfit::none;
    } else {
      return why_not_taken<in_handle_info, callbacks_of<Address>, M>(misfit::without_handle_info);
    }
  }
}

// Negations, because of a comparison clang says in three more lines what both sides are.
template <misfit Why>
consteval bool check_misfit() {
  static_assert(
      !(Why == misfit::not_awaited),
      "otpp: this is no address but an operation that nobody has awaited: write `co_await "
      "otpp::start<...>(...)`, in a "
      "coroutine; in main, give that coroutine to otpp::run");
  static_assert(
      !(Why == misfit::not_an_address),
      "otpp: this is no address: a verb takes a server_ref, a server_name, a pid, a string, a via, or a "
      "class "
      "with `otpp::pid resolve() const`");
  static_assert(
      !(Why == misfit::immovable), "otpp: a message must be movable, and its destructor must not throw");
  static_assert(
      !(Why == misfit::dangling),
      "otpp: this message would dangle: it is or holds a reference, a string_view, a span, a const char* or "
      "the like, and it outlives what that points to; let it own its data (std::string), or, where the "
      "target is "
      "never destroyed, specialize otpp::borrows as false for the message or for the type of the member");
  static_assert(
      !(Why == misfit::without_reply_type),
      "otpp: a message for call must name its answer: add `using reply_type = ...;`");
  static_assert(
      !(Why == misfit::without_state),
      "otpp: handle_call has the wrong number of parameters: it takes (Message, State&) or (Message, "
      "otpp::caller<Message::reply_type>, State&), the state last and by reference");
  static_assert(
      !(Why == misfit::without_handle_call),
      "otpp: no handle_call for this message: add `reply_type handle_call(Message, State&)` to the "
      "callbacks class");
  static_assert(
      !(Why == misfit::wrong_reply_type),
      "otpp: handle_call returns the wrong type: it returns Message::reply_type or "
      "otpp::outcome<reply_type>, as a value or as asio::awaitable");
  static_assert(
      !(Why == misfit::without_handle_cast),
      "otpp: no handle_cast for this message: add `void handle_cast(Message, State&)` to the callbacks "
      "class");
  static_assert(
      !(Why == misfit::without_handle_info),
      "otpp: no handle_info for this message: add `void handle_info(Message, State&)` to the callbacks "
      "class");
  static_assert(
      !(Why == misfit::without_handle_event),
      "otpp: no state of this gen_statem handles this message: add `handle_event(Message, State, Data&)` to "
      "the callbacks class, where State is an otpp::in_state<value>, an alternative by reference, or the "
      "type of all states");
  static_assert(
      !(Why == misfit::wrong_caller),
      "otpp: handle_call takes the otpp::caller of another answer: it takes "
      "otpp::caller<Message::reply_type>");
  static_assert(
      !(Why == misfit::by_reference),
      "otpp: the handler takes the message by non-const reference: it takes `Message`, `const Message&` or "
      "`Message&&`");
  static_assert(
      !(Why == misfit::ambiguous),
      "otpp: two handlers fit this message equally well, as one by value and one by reference do: remove "
      "one");
  static_assert(
      !(Why == misfit::wrong_state),
      "otpp: the handler for this message does not fit: it takes (Message, State&), where State is what init "
      "returns");
  static_assert(
      !(Why == misfit::not_public),
      "otpp: the handler for this message is not public: the library calls it from outside of the class");
  static_assert(
      !(Why == misfit::for_call),
      "otpp: this message is for otpp::call: the server handles it in handle_call");
  static_assert(
      !(Why == misfit::for_cast),
      "otpp: this message is for otpp::cast: the server handles it in handle_cast, and it has no answer");
  static_assert(
      !(Why == misfit::for_send),
      "otpp: this message is for otpp::send: the server handles it in handle_info, and it has no answer");
  return Why == misfit::none;
}

// What a verb for call returns where the message cannot be sent.
template <class M>
auto refused_call() {
  if constexpr (call_message<M>) {
    return refused<reply_t<M>>();
  } else {
    return refused<anything>();
  }
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

// Does what a callback changes in such a parameter stay there? A part of the state does, if it is copied, and so does
// a number that is made of a number.
template <class Last, class State>
consteval bool copies_state() {
  constexpr bool are_numbers = (std::is_arithmetic_v<Last> || std::is_enum_v<Last>) &&
                               (std::is_arithmetic_v<State> || std::is_enum_v<State>);
  if constexpr (std::is_reference_v<Last>) {
    return std::is_rvalue_reference_v<Last>; // of a temporary
  } else if constexpr (std::is_same_v<Last, State> || std::is_base_of_v<Last, State>) {
    return !std::is_empty_v<Last>;
  } else {
    return are_numbers;
  }
}

template <class Callback, class Callbacks, class... Before>
consteval bool copies_state_after() {
  if constexpr (has_overload<Callback, Callbacks, Before...>) {
    return copies_state<
        typename Callback::template last<Callbacks, parameters<Before...>>, state_t<Callbacks>>();
  } else {
    return false;
  }
}

// The same for the template that takes the message by whatever type, `template <class M> ... (M, State&)`.
template <class Callback, class Callbacks, class M, class... Before>
consteval bool template_copies_state_after() {
  if constexpr (requires { typename Callback::template last_of<Callbacks, M, parameters<Before...>>; }) {
    return copies_state<
        typename Callback::template last_of<Callbacks, M, parameters<Before...>>, state_t<Callbacks>>();
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
          !copies_state_after<Callback, Callbacks, const First&, Rest...>() &&
          !template_copies_state_after<Callback, Callbacks, First, First, Rest...>() &&
          !template_copies_state_after<Callback, Callbacks, First, First&&, Rest...>() &&
          !template_copies_state_after<Callback, Callbacks, First, const First&, Rest...>(),
      "otpp: a callback takes the state by value, so that what it changes there is forgotten: it takes "
      "`State&`, or `const State&` if it only looks");
  return true;
}

// ---- a message of a derived class, for a handler that takes a base class by value ----

template <class Callback, class Callbacks, class M, class... Rest, class... Noted>
consteval bool slices(std::type_identity<message_list<Noted...>>) {
  return ((std::is_base_of_v<Noted, M> && has_overload<Callback, Callbacks, Noted, Rest...>) || ...);
}

template <class Callback, class Callbacks, class M, class... Rest>
consteval bool is_sliced() {
  if constexpr (std::is_class_v<M> && count_overloads<Callback, Callbacks, M, Rest...>() == 0) {
    return slices<Callback, Callbacks, M, Rest...>(
        std::type_identity<typename overloads<Callback, Callbacks>::types>());
  } else {
    return false;
  }
}

// All that is checked of the handler that takes M, and Rest before the state.
template <class Callback, class Callbacks, class M, class... Rest>
consteval bool check_handler() {
  static_assert(
      !is_sliced<Callback, Callbacks, M, Rest...>(),
      "otpp: this message would be sliced: the handler takes a base class of it by value; it takes `const "
      "Base&` or `Base&&`, or there is a handler for this very message");
  return check_state_parameter<Callback, Callbacks, M, Rest...>();
}

template <class Callbacks, class M>
consteval bool check_call_handler() {
  if constexpr (calls_with_caller<Callbacks, M>) {
    return check_handler<in_handle_call, Callbacks, M, caller<reply_t<M>>>();
  } else {
    return check_handler<in_handle_call, Callbacks, M>();
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
