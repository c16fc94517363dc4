// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/borrows.hpp>
#include <otpp/detail/util/narrowing.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// ---- what a callback returns: R or awaitable<R> ----

template <class T>
struct unwrapped {
  using type = T;
};
template <class T, class Executor>
struct unwrapped<asio::awaitable<T, Executor>> {
  using type = T;
};
template <class T>
using unwrapped_t = typename unwrapped<T>::type;
template <class T>
inline constexpr bool is_awaitable = !std::is_same_v<unwrapped_t<T>, T>;

template <class T>
struct init_state {
  using type = T;
};
template <class State>
struct init_state<init_result<State>> {
  using type = State;
};
template <class T>
inline constexpr bool is_init_result = !std::is_same_v<typename init_state<T>::type, T>;

template <class T>
inline constexpr bool is_outcome = false;
template <class R>
inline constexpr bool is_outcome<outcome<R>> = true;

// ---- the parameters of a member function that is not overloaded ----

template <class... Parameters>
struct first_parameter {
  using type = void;
};
template <class First, class... Rest>
struct first_parameter<First, Rest...> {
  using type = std::remove_cvref_t<First>;
};

template <class Result, class... Parameters>
struct signature {
  using result = Result;
  using first = typename first_parameter<Parameters...>::type;
};
template <class C, class R, class... P>
signature<R, P...> signature_of(R (C::*)(P...));
template <class C, class R, class... P>
signature<R, P...> signature_of(R (C::*)(P...) const);
template <class R, class... P>
signature<R, P...> signature_of(R (*)(P...));

// Is there any member of this name? With a second base that has one too, naming it is ambiguous.
struct has_names {
  void init();
  void terminate();
};
template <class Callbacks>
struct twice : Callbacks, has_names {};

template <class Callbacks>
consteval bool names_init() {
  if constexpr (std::is_class_v<Callbacks> && !std::is_final_v<Callbacks>) {
    return !requires { &twice<Callbacks>::init; };
  } else {
    return false;
  }
}
template <class Callbacks>
consteval bool names_terminate() {
  if constexpr (std::is_class_v<Callbacks> && !std::is_final_v<Callbacks>) {
    return !requires { &twice<Callbacks>::terminate; };
  } else {
    return false;
  }
}

// Is there an init, and can its state type be seen?
template <class Callbacks>
consteval bool shows_init() {
  return names_init<Callbacks>() &&
         (requires { typename Callbacks::state_type; } || requires { signature_of(&Callbacks::init); });
}

template <class Callbacks>
consteval auto find_state() {
  if constexpr (requires { typename Callbacks::state_type; }) {
    return std::type_identity<typename Callbacks::state_type>();
  } else if constexpr (requires { signature_of(&Callbacks::init); }) {
    using returned = typename decltype(signature_of(&Callbacks::init))::result;
    static_assert(
        !std::is_void_v<unwrapped_t<returned>>,
        "otpp: init returns nothing: it returns the server's state; where there is nothing to remember, "
        "an int will do");
    return std::type_identity<typename init_state<unwrapped_t<returned>>::type>();
  } else {
    static_assert(
        names_init<Callbacks>(),
        "otpp: init is missing: a callbacks class needs `State init(arguments...)`, which makes the "
        "server's state");
    static_assert(
        !names_init<Callbacks>(),
        "otpp: init is overloaded or a template, or it is not public, so that its state type cannot be seen: "
        "make it "
        "public, or add `using state_type = ...;` to the callbacks class");
    return std::type_identity<int>();
  }
}

} // namespace detail

/// The state of a callbacks class: what its `init` returns, or its `state_type`.
template <class Callbacks>
using state_t = typename decltype(detail::find_state<Callbacks>())::type;

namespace detail {

template <class Callbacks, class M>
concept calls_plainly = requires(Callbacks& callbacks, M&& message, state_t<Callbacks>& state) {
  callbacks.handle_call(std::move(message), state);
};
template <class Callbacks, class M>
concept calls_with_caller =
    requires(Callbacks& callbacks, M&& message, caller<reply_t<M>>&& from, state_t<Callbacks>& state) {
      callbacks.handle_call(std::move(message), std::move(from), state);
    };
template <class Callbacks, class M>
concept calls_without_state =
    requires(Callbacks& callbacks, M&& message) { callbacks.handle_call(std::move(message)); };

template <class Callbacks, class M>
consteval auto find_call_result() {
  if constexpr (calls_with_caller<Callbacks, M>) {
    return std::type_identity<decltype(std::declval<Callbacks&>().handle_call(
        std::declval<M>(), std::declval<caller<reply_t<M>>>(), std::declval<state_t<Callbacks>&>()))>();
  } else {
    return std::type_identity<decltype(std::declval<Callbacks&>().handle_call(
        std::declval<M>(), std::declval<state_t<Callbacks>&>()))>();
  }
}
template <class Callbacks, class M>
using call_result_t = typename decltype(find_call_result<Callbacks, M>())::type;

// R, outcome<R>; with a caller also void and no_reply.
template <class Callbacks, class M>
consteval bool call_result_fits() {
  using returned = unwrapped_t<call_result_t<Callbacks, M>>;
  using reply = reply_t<M>;
  if constexpr (is_outcome<returned>) {
    return std::is_same_v<returned, outcome<reply>>;
  } else if constexpr (calls_with_caller<Callbacks, M>) {
    return std::is_void_v<returned> || std::is_same_v<returned, no_reply_t> ||
           (std::is_convertible_v<returned, reply> && !loses_fraction<returned, reply>);
  } else if constexpr (std::is_void_v<reply>) {
    return std::is_void_v<returned>;
  } else {
    return std::is_convertible_v<returned, reply> && !loses_fraction<returned, reply>;
  }
}

} // namespace detail

/// Says that a server with these callbacks answers a call message.
template <class Callbacks, class M>
concept handles_call =
    call_message<M> && (detail::calls_plainly<Callbacks, M> || detail::calls_with_caller<Callbacks, M>);

/// Says that a server with these callbacks takes a message with `cast`.
template <class Callbacks, class M>
concept handles_cast = message<M> && requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
  callbacks.handle_cast(std::move(m), state);
};

/// Says that a server with these callbacks takes a message with `send`.
template <class Callbacks, class M>
concept handles_info = message<M> && requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
  callbacks.handle_info(std::move(m), state);
};

/// Says that a server with these callbacks takes a message with `outcome::then`.
template <class Callbacks, class M>
concept handles_continue = message<M> && requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
  callbacks.handle_continue(std::move(m), state);
};

namespace detail {

template <class Callbacks>
concept terminates = requires(Callbacks& callbacks, const exit_reason& reason, state_t<Callbacks>& state) {
  callbacks.terminate(reason, state);
};

// A callback: the type of its last parameter, where `Parameters` says which come before it (overloads.hpp); and whether it
// accepts an argument, be that a message or not.
struct in_handle_info {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::handle_info))::type;
  template <class Callbacks, class M, class Parameters>
  using last_of = typename decltype(Parameters::last(&Callbacks::template handle_info<M>))::type;
  template <class Callbacks, class M>
  static constexpr bool accepts = requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
    callbacks.handle_info(std::forward<M>(m), state);
  };
};
struct in_handle_continue {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::handle_continue))::type;
  template <class Callbacks, class M, class Parameters>
  using last_of = typename decltype(Parameters::last(&Callbacks::template handle_continue<M>))::type;
  template <class Callbacks, class M>
  static constexpr bool accepts = requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
    callbacks.handle_continue(std::forward<M>(m), state);
  };
};

// The two handlers of the messages that a server sends itself.
template <class Callbacks>
struct continue_handler {
  using where = in_handle_continue;
  static constexpr std::string_view name = "handle_continue";
  template <class M>
  static constexpr bool takes = handles_continue<Callbacks, M>;
  template <class C = Callbacks>
  static auto signature() -> decltype(signature_of(&C::handle_continue));
  template <class M>
  static auto invoke(Callbacks& callbacks, M&& content, state_t<Callbacks>& state) {
    return callbacks.handle_continue(std::move(content), state);
  }
};
template <class Callbacks>
struct info_handler {
  using where = in_handle_info;
  static constexpr std::string_view name = "handle_info";
  template <class M>
  static constexpr bool takes = handles_info<Callbacks, M>;
  template <class C = Callbacks>
  static auto signature() -> decltype(signature_of(&C::handle_info));
  template <class M>
  static auto invoke(Callbacks& callbacks, M&& content, state_t<Callbacks>& state) {
    return callbacks.handle_info(std::move(content), state);
  }
};

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop
