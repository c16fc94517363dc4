// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
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

 public:
  using state_taken = std::conditional_t<is_own, state_argument<Callbacks, Number>, any_state<Callbacks>>;

 private:
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

// ---- what is taken by value ----

struct in_handle_event {
  template <class Callbacks, class Pointer>
  static constexpr bool has = requires { static_cast<Pointer>(&Callbacks::handle_event); };
};
struct in_handle_enter {
  template <class Callbacks, class Pointer>
  static constexpr bool has = requires { static_cast<Pointer>(&Callbacks::handle_enter); };
};

// A parameter may have each of these types.
template <class...>
struct forms {};

// Has the callback an overload of just these parameters? Its address is asked for, so that a template is found, too.
template <class Callback, class Callbacks, class Returned, class... Parameters>
struct overload_of {
  static consteval bool exists() {
    constexpr bool is_plain = Callback::template has<Callbacks, Returned (Callbacks::*)(Parameters...)>;
    constexpr bool is_const = Callback::template has<Callbacks, Returned (Callbacks::*)(Parameters...) const>;
    constexpr bool is_static = Callback::template has<Callbacks, Returned (*)(Parameters...)>;
    return is_plain || is_const || is_static;
  }
  template <class... Next, class... More>
  static consteval bool exists(forms<Next...>, More... more) {
    return (overload_of<Callback, Callbacks, Returned, Parameters..., Next>::exists(more...) || ...);
  }
};

// How a callback may take the state that it is given. An in_state converts to the state for whoever takes that. Not as
// `const State&` where it is given as `State&`: a template with a deduced result would be instantiated for that.
template <class Callbacks, class State>
using state_forms = std::conditional_t<
    std::is_lvalue_reference_v<State>, forms<State, std::remove_cvref_t<State>>,
    forms<State, const State&, state_in<Callbacks>, const state_in<Callbacks>&>>;

// A change of a copy of the data, or of a state that is a type, is forgotten. A value of the states has nothing to change.
template <class Callback, class Callbacks, class Returned, class State, class... Before>
consteval bool copies_data(Before... before) {
  using overload = overload_of<Callback, Callbacks, Returned>;
  using state = std::remove_cvref_t<State>;
  using data = data_of<Callbacks>;
  bool is_copied = overload::exists(before..., state_forms<Callbacks, State>(), forms<data>());
  if constexpr (
      is_one_of_types<state_in<Callbacks>> && std::is_lvalue_reference_v<State> && !std::is_empty_v<state>) {
    is_copied = is_copied || overload::exists(before..., forms<state>(), forms<data&>());
  }
  return is_copied;
}

template <bool IsCopied>
consteval bool check_data_parameter() {
  static_assert(
      !IsCopied,
      "otpp: a callback of this gen_statem takes the data by value, or a state that is a type, so that what "
      "it changes there is forgotten: it takes a reference, to const if it only looks");
  return true;
}

// What handle_event takes in the place of the message, if the state is of this type.
template <class State>
struct in_handle_event_of {
  template <class Callbacks, class M>
  static constexpr bool accepts = static_cast<bool>(
      takes_event<Callbacks, M, State> |
      requires(Callbacks& callbacks, M&& m, State&& state, data_of<Callbacks>& data) {
        callbacks.handle_event(std::forward<M>(m), any_caller(), std::forward<State>(state), data);
      });
};

template <class Callbacks, class M, class Returned, class State, class... From, class... Noted>
consteval bool slices_one_of(std::type_identity<message_list<Noted...>>, From... from) {
  using overload = overload_of<in_handle_event, Callbacks, Returned>;
  return !(std::is_same_v<Noted, M> || ...) &&
         ((std::is_base_of_v<Noted, M> &&
           overload::exists(
               forms<Noted>(), from..., state_forms<Callbacks, State>(), forms<data_of<Callbacks>&>())) ||
          ...);
}

// Does the handler that takes the message take a base class of it by value?
template <class Callbacks, class M, class Returned, class State, class... From>
consteval bool slices_event(From... from) {
  using overload = overload_of<in_handle_event, Callbacks, Returned>;
  if constexpr (std::is_class_v<M>) {
    constexpr bool is_for_it = overload::exists(
        forms<M, const M&, M&&>(), From()..., state_forms<Callbacks, State>(), forms<data_of<Callbacks>&>());
    if constexpr (!is_for_it) {
      using noted = typename overloads<in_handle_event_of<State>, Callbacks>::types;
      return slices_one_of<Callbacks, M, Returned, State>(std::type_identity<noted>(), from...);
    }
  }
  return false;
}

struct taken_by_value {
  bool is_data = false;
  bool is_base = false;
};

template <class Callbacks, class M, class Handler, class... From>
consteval taken_by_value find_copies(From... from) {
  using returned = typename Handler::returned;
  using state = typename Handler::state_taken;
  return {
      copies_data<in_handle_event, Callbacks, returned, state>(forms<M, const M&, M&&>(), from...),
      slices_event<Callbacks, M, returned, state>(from...)};
}

// What the handler of this message takes by value in the state of this number.
template <class Callbacks, class M, std::size_t Number>
consteval taken_by_value find_copies_in() {
  using handler = event_handler<Callbacks, M, Number>;
  if constexpr (handler::form == handler_form::with_caller) {
    return find_copies<Callbacks, M, handler>(forms<caller<reply_t<M>>, caller<reply_t<M>>&&>());
  } else {
    return find_copies<Callbacks, M, handler>();
  }
}

template <class Callbacks, class M, std::size_t... Numbers>
consteval taken_by_value find_all_copies(std::index_sequence<Numbers...>) {
  return {
      (find_copies_in<Callbacks, M, Numbers>().is_data || ...),
      (find_copies_in<Callbacks, M, Numbers>().is_base || ...)};
}

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
  constexpr bool is_called = why == misfit::none && is_whole && !takes_variant<Callbacks, M>;
  if constexpr (is_called) {
    constexpr taken_by_value copied =
        find_all_copies<Callbacks, M>(std::make_index_sequence<states_of<Callbacks>::size>());
    static_assert(
        !copied.is_base,
        "otpp: this message would be sliced: the handler takes a base class of it by value; it takes `const "
        "Base&` or `Base&&`, or there is a handler for this very message");
    static_cast<void>(check_data_parameter<copied.is_data>());
  }
  return check_misfit<why>() && is_called;
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

template <class Callbacks, class Returned, class State>
consteval bool check_entry() {
  using from = state_in<Callbacks>;
  static_cast<void>(check_data_parameter<copies_data<in_handle_enter, Callbacks, Returned, State>(
                        forms<from, const from&>())>());
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
