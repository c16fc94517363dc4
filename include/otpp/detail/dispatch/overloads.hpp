// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// The messages that a handler takes, whether it is overloaded or not.
//
// The language does not list the overloads of a function. But for a call with an argument that converts to every type,
// the compiler asks of each overload whether the conversion to its parameter is allowed, and the constraint that is
// asked notes the type: a friend function that is defined then. The notes depend on nothing but the callbacks class, so
// that they are the same in every translation unit. A parameter whose type is deduced cannot be noted.

namespace otpp::detail {

// ---- what is known of a callback ----

// The type of the last parameter, of the one overload that takes these before it.
template <class... Before>
struct parameters {
  template <class C, class R, class Last>
  static std::type_identity<Last> last(R (C::*)(Before..., Last));
  template <class C, class R, class Last>
  static std::type_identity<Last> last(R (C::*)(Before..., Last) const);
  template <class C, class R, class Last>
  static std::type_identity<Last> last(R (C::*)(Before..., Last) &);
  template <class R, class Last>
  static std::type_identity<Last> last(R (*)(Before..., Last));
};

// A caller of whatever answer.
struct any_caller {
  template <class Reply>
  operator caller<Reply>() const noexcept {
    std::terminate();
  }
};

struct in_handle_call {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::handle_call))::type;
  template <class Callbacks, class M, class Parameters>
  using last_of = typename decltype(Parameters::last(&Callbacks::template handle_call<M>))::type;
  template <class Callbacks, class M>
  static constexpr bool accepts_caller = requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
    callbacks.handle_call(std::forward<M>(m), any_caller(), state);
  };
  template <class Callbacks, class M>
  static constexpr bool accepts_alone = requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
    callbacks.handle_call(std::forward<M>(m), state);
  };
  template <class Callbacks, class M>
  static constexpr bool accepts =
      static_cast<bool>(accepts_alone<Callbacks, M> | accepts_caller<Callbacks, M>);
};
struct in_handle_cast {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::handle_cast))::type;
  template <class Callbacks, class M, class Parameters>
  using last_of = typename decltype(Parameters::last(&Callbacks::template handle_cast<M>))::type;
  template <class Callbacks, class M>
  static constexpr bool accepts = requires(Callbacks& callbacks, M&& m, state_t<Callbacks>& state) {
    callbacks.handle_cast(std::forward<M>(m), state);
  };
};
struct in_terminate {
  template <class Callbacks, class Parameters>
  using last = typename decltype(Parameters::last(&Callbacks::terminate))::type;
};

template <class Callback, class Callbacks, class... Before>
inline constexpr bool has_overload =
    requires { typename Callback::template last<Callbacks, parameters<Before...>>; };

// How many overloads take just this message, by value or by reference?
template <class Callback, class Callbacks, class M, class... Rest>
consteval std::size_t count_overloads() {
  constexpr auto has = [](bool one) { return one ? std::size_t(1) : std::size_t(0); };
  return has(has_overload<Callback, Callbacks, M, Rest...>) +
         has(has_overload<Callback, Callbacks, M&&, Rest...>) +
         has(has_overload<Callback, Callbacks, M&, Rest...>) +
         has(has_overload<Callback, Callbacks, const M&, Rest...>);
}

// ---- which messages it takes ----

template <class Set, std::size_t At>
struct place {
  OTPP_PLAIN_FRIEND(friend auto noted_at(place);)
};
template <class Set, std::size_t At, class M>
struct note {
  friend auto noted_at(place<Set, At>) { return std::type_identity<M>(); }
};

// Notes M in the first place of the set that is free.
template <class Set, class M, std::size_t At = 0>
consteval bool take_note() {
  if constexpr (requires { noted_at(place<Set, At>()); }) {
    return take_note<Set, M, At + 1>();
  } else {
    return sizeof(note<Set, At, M>) != 0;
  }
}

template <class Set>
struct noting_probe {
  template <class T>
    requires(
        !std::is_same_v<std::remove_cvref_t<T>, noting_probe> && take_note<Set, std::remove_cvref_t<T>>())
  operator T() const noexcept {
    std::terminate();
  }
};

// The types for which the callback has an overload: `Callback` says which callback.
template <class Callback, class Callbacks>
struct overloads {
  static constexpr bool are_noted = Callback::template accepts<Callbacks, noting_probe<overloads>>;

  template <bool, class... Found>
  static consteval auto collect() {
    constexpr std::size_t next = sizeof...(Found);
    if constexpr (requires { noted_at(place<overloads, next>()); }) {
      return collect<false, Found..., typename decltype(noted_at(place<overloads, next>()))::type>();
    } else {
      return message_list<Found...>();
    }
  }

  using types = decltype(collect<are_noted>());
};

template <class M, class... Messages>
consteval bool is_listed(std::type_identity<message_list<Messages...>>) {
  return (std::is_same_v<M, Messages> || ...);
}
template <class Callback, class Callbacks, class M>
consteval bool is_noted() {
  return is_listed<M>(std::type_identity<typename overloads<Callback, Callbacks>::types>());
}

// Calls visit(std::type_identity<M>()) for each M of a list.
template <class... Messages, class Visit>
void each_listed(std::type_identity<message_list<Messages...>>, [[maybe_unused]] Visit visit) {
  (visit(std::type_identity<Messages>()), ...);
}

// The same for the messages that the callbacks class lists.
template <class Callbacks, class Visit>
void each_listed_by(Visit visit) {
  if constexpr (requires { typename Callbacks::messages; }) {
    each_listed(std::type_identity<typename Callbacks::messages>(), visit);
  }
}

// The same for all that may be a message to Handler: what its overloads take, and, as it may be a template, what is
// listed. A message may be visited twice.
template <class Handler, class Callbacks, class Visit>
void each_taken(Visit visit) {
  if constexpr (requires { Handler::signature(); }) {
    visit(std::type_identity<typename decltype(Handler::signature())::first>());
  } else {
    each_listed(std::type_identity<typename overloads<typename Handler::where, Callbacks>::types>(), visit);
  }
  each_listed_by<Callbacks>(visit);
}

} // namespace otpp::detail

#pragma GCC visibility pop
