// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace otpp {

/// The states of a state machine, where they are the values of an enumeration or of another type that a template can
/// have as argument: what stands for the type of the state in `gen_statem`. OTP's callback mode `state_functions`.
///
/// A handler for one of them takes an `in_state<value>`.
///
/// @code
/// enum class light { red, green };
/// struct crossing : otpp::gen_statem<crossing, otpp::states<light::red, light::green>, data> { ... };
/// @endcode
template <auto First, auto... Others>
  requires(std::is_same_v<decltype(First), decltype(Others)> && ...)
struct states {
  /// The type of the values.
  using type = decltype(First);
};

/// One of the states of a machine, as a type: a handler that takes it is for this state alone. Converts to the state
/// itself.
template <auto State>
struct in_state {
  static constexpr auto value = State; ///< The state.
  /// Returns the state.
  constexpr operator decltype(State)() const noexcept { return State; }
};

/// What a state machine is made of: the state that it is in, and the data that all its states share. It is what
/// `inspect` shows, and `terminate` and `format_status` take. OTP's `State` and `Data`.
///
/// @par Thread safety
/// None: it belongs to the server, which shows it to its own callbacks only.
template <class State, class Data>
struct state_and_data {
  /// What `init` returns: the machine begins with it.
  ///
  /// @param in    The first state; moved.
  /// @param with  The data; moved.
  state_and_data(State in, Data with) : state(std::move(in)), data(std::move(with)) {}

  State state; ///< The state that the machine is in.
  Data data;   ///< What all states share.
};

/// The state of a machine whose states are types, whichever it is: a handler that takes it is for all states that have no
/// handler of their own. Inside of a callbacks class it is `any_state`. Refers to the state, and is valid as long as the handler runs.
template <class State>
class whole_state {
 public:
  explicit whole_state(const State& of) noexcept : of_(&of) {}
  /// Returns the state.
  const State& operator*() const noexcept { return *of_; }
  /// As above.
  const State* operator->() const noexcept { return of_; }

 private:
  const State* of_;
};

namespace detail {

// What is known of the type that was given for the states: their number, the number of the one that a machine is in, and
// what a handler gets for the state of a number.
//
// For any type: one handler for all states. OTP's handle_event_function.
template <class Given>
struct state_set {
  using type = Given;
  static constexpr std::size_t size = 1;
  static constexpr bool contains(const type&) noexcept { return true; }
  static constexpr std::size_t number_of(const type&) noexcept { return 0; }
  template <std::size_t>
  static constexpr const type& at(type& state) noexcept {
    return state;
  }
};

template <auto... States>
struct state_set<states<States...>> {
  using type = typename states<States...>::type;
  static constexpr std::size_t size = sizeof...(States);
  static constexpr bool contains(const type& state) noexcept { return ((state == States) || ...); }
  static constexpr std::size_t number_of(const type& state) noexcept {
    std::size_t number = 0;
    static_cast<void>(((state == States || (++number, false)) || ...));
    return number;
  }
  template <std::size_t Number>
  static constexpr auto at(type&) noexcept {
    constexpr type all[] = {States...};
    return in_state<all[Number]>();
  }
};

template <class... Alternatives>
struct state_set<std::variant<Alternatives...>> {
  using type = std::variant<Alternatives...>;
  static constexpr std::size_t size = sizeof...(Alternatives);
  static constexpr bool contains(const type& state) noexcept { return !state.valueless_by_exception(); }
  static constexpr std::size_t number_of(const type& state) noexcept { return state.index(); }
  template <std::size_t Number>
  static constexpr auto& at(type& state) noexcept {
    return *std::get_if<Number>(&state);
  }
};

template <class State>
inline constexpr bool is_one_of_types = false;
template <class... Alternatives>
inline constexpr bool is_one_of_types<std::variant<Alternatives...>> = true;

// Is it the same state, so that to change to it changes nothing? OTP compares the terms. An alternative that has no `==`
// is the same only if it is empty.
template <class State>
bool is_same_state(const State& a, const State& b) {
  if constexpr (is_one_of_types<State>) {
    return a.index() == b.index() && std::visit(
                                         [&b]<class Alternative>(const Alternative& one) {
                                           if constexpr (requires { static_cast<bool>(one == one); }) {
                                             const Alternative* other = std::get_if<Alternative>(&b);
                                             return other && static_cast<bool>(one == *other);
                                           } else {
                                             return std::is_empty_v<Alternative>;
                                           }
                                         },
                                         a);
  } else if constexpr (requires { static_cast<bool>(a == b); }) {
    return static_cast<bool>(a == b);
  } else {
    return std::is_empty_v<State>;
  }
}

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop
