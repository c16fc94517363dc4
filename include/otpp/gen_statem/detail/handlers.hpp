// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/util/borrows.hpp>
#include <otpp/detail/util/narrowing.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_statem/states.hpp>
#include <otpp/gen_statem/transition.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// How an event finds its handler: by the type of the message and the state. A handler for the very state is taken before
// one for all of them.

namespace otpp::detail {

template <class Callbacks>
using states_of = state_set<typename Callbacks::given_states>;
template <class Callbacks>
using state_in = typename states_of<Callbacks>::type;
template <class Callbacks>
using data_of = decltype(Callbacks::state_type::data);

// What a handler gets for the state of this number; and what one for all states gets.
template <class Callbacks, std::size_t Number>
using state_argument =
    decltype(states_of<Callbacks>::template at<Number>(std::declval<state_in<Callbacks>&>()));
template <class Callbacks>
using any_state = std::conditional_t<
    is_one_of_types<state_in<Callbacks>>, whole_state<state_in<Callbacks>>, const state_in<Callbacks>&>;

template <class Callbacks, class M, class S>
concept takes_event = requires(Callbacks& callbacks, M&& m, S&& state, data_of<Callbacks>& data) {
  callbacks.handle_event(std::forward<M>(m), std::forward<S>(state), data);
};
template <class Callbacks, class M, class S>
concept takes_event_with_caller =
    call_message<std::remove_cvref_t<M>> &&
    requires(
        Callbacks& callbacks, M&& m, caller<reply_t<std::remove_cvref_t<M>>>&& from, S&& state,
        data_of<Callbacks>& data) {
      callbacks.handle_event(std::forward<M>(m), std::move(from), std::forward<S>(state), data);
    };
template <class Callbacks, class S>
concept takes_enter =
    requires(Callbacks& callbacks, const state_in<Callbacks>& from, S&& state, data_of<Callbacks>& data) {
      callbacks.handle_enter(from, std::forward<S>(state), data);
    };

enum class handler_form : std::uint8_t { none, alone, with_caller };

template <class Callbacks, class M, class S>
consteval handler_form find_form() {
  if constexpr (takes_event<Callbacks, M, S>) {
    return handler_form::alone;
  } else if constexpr (takes_event_with_caller<Callbacks, M, S>) {
    return handler_form::with_caller;
  } else {
    return handler_form::none;
  }
}

// An alternative converts to its variant: a handler that took the variant would be called with a copy, which is gone when
// a coroutine goes on. So it takes a whole_state, and one that takes the variant itself is found by these.
template <class State>
struct like_variant {
  operator const State&() const noexcept;
};
struct like_nothing {}; // taken by a template

template <class Callbacks, class M>
inline constexpr bool takes_variant =
    is_one_of_types<state_in<Callbacks>> &&
    find_form<Callbacks, M, like_variant<state_in<Callbacks>>&>() != handler_form::none &&
    find_form<Callbacks, M, like_nothing&>() == handler_form::none;
template <class Callbacks>
inline constexpr bool enters_variant =
    is_one_of_types<state_in<Callbacks>> && takes_enter<Callbacks, like_variant<state_in<Callbacks>>&> &&
    !takes_enter<Callbacks, like_nothing&>;

template <class Callbacks, std::size_t Number>
inline constexpr bool is_entered =
    takes_enter<Callbacks, state_argument<Callbacks, Number>> || takes_enter<Callbacks, any_state<Callbacks>>;

template <class R>
inline constexpr bool is_transition = false;
template <class Callbacks, class State, class R>
inline constexpr bool is_transition<transition<Callbacks, State, R>> = true;

// The handler of a message in the state of this number.
template <class Callbacks, class M, std::size_t Number>
class event_handler {
  using state_and_data = typename Callbacks::state_type;
  static constexpr bool is_own =
      find_form<Callbacks, M, state_argument<Callbacks, Number>>() != handler_form::none;
  using state_taken = std::conditional_t<is_own, state_argument<Callbacks, Number>, any_state<Callbacks>>;

  static state_taken state_for(state_and_data& of) noexcept {
    if constexpr (is_own) {
      return states_of<Callbacks>::template at<Number>(of.state);
    } else {
      return state_taken(of.state);
    }
  }

 public:
  static constexpr handler_form form = find_form<Callbacks, M, state_taken>();

 private:
  template <class Given>
  static auto call(Callbacks& callbacks, Given&& content, state_and_data& of) {
    return callbacks.handle_event(std::forward<Given>(content), state_for(of), of.data);
  }
  template <class Given, class From>
  static auto call(Callbacks& callbacks, Given&& content, From&& from, state_and_data& of) {
    return callbacks.handle_event(
        std::forward<Given>(content), std::forward<From>(from), state_for(of), of.data);
  }

  template <class Given>
  static auto find_returned() {
    if constexpr (form == handler_form::with_caller) {
      return std::type_identity<decltype(call(
          std::declval<Callbacks&>(), std::declval<Given>(), std::declval<caller<reply_t<M>>>(),
          std::declval<state_and_data&>()))>();
    } else {
      return std::type_identity<decltype(call(
          std::declval<Callbacks&>(), std::declval<Given>(), std::declval<state_and_data&>()))>();
    }
  }
  using returned_for_own = typename decltype(find_returned<M>())::type;
  static constexpr bool may_postpone = is_transition<unwrapped_t<returned_for_own>>;

 public:
  // What may be postponed is not moved from, if the handler allows.
  static constexpr bool keeps_message = may_postpone && find_form<Callbacks, const M&, state_taken>() == form;
  using given = std::conditional_t<keeps_message, const M&, M&&>;
  using returned = typename decltype(find_returned<given>())::type;

  template <class... From>
  static returned invoke(Callbacks& callbacks, M& content, state_and_data& of, From&&... from) {
    return call(callbacks, static_cast<given>(content), std::forward<From>(from)..., of);
  }
};

template <class Callbacks, class M, std::size_t Number>
inline constexpr bool handles_event_in =
    find_form<Callbacks, M, state_argument<Callbacks, Number>>() != handler_form::none ||
    find_form<Callbacks, M, any_state<Callbacks>>() != handler_form::none;

template <class Callbacks, class M, std::size_t... Numbers>
consteval std::size_t count_handlers(std::index_sequence<Numbers...>) {
  return (std::size_t(handles_event_in<Callbacks, M, Numbers>) + ...);
}

// In how many states is there a handler for this message?
template <class Callbacks, class M>
inline constexpr std::size_t states_with_handler =
    count_handlers<Callbacks, M>(std::make_index_sequence<states_of<Callbacks>::size>());

// Is there a handler in every state? If there is in none, the same sentence is said of a message to the machine itself as
// of one that is sent to it.
template <class Callbacks, class M>
consteval bool check_event() {
  constexpr misfit why = !message<M>                              ? misfit::immovable
                         : message_borrows<M>()                   ? misfit::dangling
                         : states_with_handler<Callbacks, M> == 0 ? misfit::without_handle_event
                                                                  : misfit::none;
  constexpr bool is_whole =
      why != misfit::none || states_with_handler<Callbacks, M> == states_of<Callbacks>::size;
  static_assert(
      is_whole,
      "otpp: a state of this gen_statem has no handler for this message: add `handle_event(Message, State, "
      "Data&)` for that state, or one whose State is a template parameter or the type of all, for all that "
      "have none");
  static_assert(
      !takes_variant<Callbacks, M>,
      "otpp: this handler takes the variant of the states: it takes an alternative by reference, or "
      "any_state, or a reference whose type is a template parameter");
  return check_misfit<why>() && is_whole && !takes_variant<Callbacks, M>;
}

// What a handler of a call may return, and of what is no call.
template <class Callbacks, class M, handler_form Form, class Returned>
consteval bool event_result_fits() {
  using returned = unwrapped_t<Returned>;
  if constexpr (Form == handler_form::with_caller) {
    return std::is_void_v<returned> ||
           std::is_convertible_v<returned, typename Callbacks::template transition<>> ||
           std::is_convertible_v<returned, typename Callbacks::template transition<reply_t<M>>>;
  } else if constexpr (call_message<M>) {
    using expected = typename Callbacks::template transition<reply_t<M>>;
    if constexpr (std::is_void_v<returned>) {
      return std::is_void_v<reply_t<M>>;
    } else {
      return std::is_convertible_v<returned, expected> && !loses_fraction<returned, reply_t<M>>;
    }
  } else {
    return std::is_void_v<returned> ||
           std::is_convertible_v<returned, typename Callbacks::template transition<>>;
  }
}

template <class Callbacks, class M, handler_form Form, class Returned>
consteval bool check_event_result() {
  constexpr bool fits = event_result_fits<Callbacks, M, Form, Returned>();
  static_assert(
      fits,
      "otpp: handle_event returns the wrong type: for a call it returns Message::reply_type or "
      "transition<reply_type>, and next_state(...) answers none: add .reply(...); for all else it returns "
      "void "
      "or transition<>; either as a value or as asio::awaitable");
  return fits;
}

template <class Callbacks, class Returned>
consteval bool check_entry() {
  using returned = unwrapped_t<Returned>;
  constexpr bool fits =
      std::is_void_v<returned> || std::is_convertible_v<returned, typename Callbacks::entry>;
  static_assert(
      !enters_variant<Callbacks>,
      "otpp: this handle_enter takes the variant of the states: after the state that was left it takes an "
      "alternative by reference, or any_state, or a reference whose type is a template parameter");
  static_assert(
      fits,
      "otpp: handle_enter returns the wrong type: it returns void or `entry`, as a value or as "
      "asio::awaitable; it must not change the state, postpone or insert events");
  return fits;
}

} // namespace otpp::detail

#pragma GCC visibility pop
