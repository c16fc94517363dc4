// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/message.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Does T borrow, or anything that it is made of? `Within` are the types in which T was found: a tree has a
// vector of trees.
template <class T, class... Within>
consteval bool finds_borrowed();

// Probes for the members of an aggregate. Each stands for one member's initializer, and converts to exactly
// what its name says, so that a requires-expression can test that member. (The conversions are never called;
// without a body clang warns about messages in unnamed namespaces.)
//
// The conversions are private: a class with a constructor for whatever converts to something (a JSON value, an
// optional) asks for that from outside, is refused, and is initialized by the conversion to that class itself.
// They are volatile: where a class takes simply everything (std::any), its constructor is the better match, and
// nothing is ambiguous.
class any_probe {
  friend class member_probing;
  template <class T>
  operator T() const volatile noexcept {
    std::terminate();
  }
};
// Two classes, for one whose conversions are used and one whose are not: those to what borrows. Without them an
// aggregate that borrows would be no hindrance, because the probe would be taken for its first member's.
template <class T, class Probe, class... Within>
concept is_borrowed = !std::is_base_of_v<Probe, T> && finds_borrowed<T, Within...>();
template <class T, class Probe, class... Within>
concept is_owned = !std::is_base_of_v<Probe, T> && !finds_borrowed<T, Within...>();

template <class... Within>
class unusable_if_borrowed {
  template <class T>
    requires is_borrowed<T, unusable_if_borrowed, Within...>
  operator T() const volatile noexcept {
    std::terminate();
  }
};
template <class... Within>
class usable_if_owned {
  friend class member_probing;
  template <class T>
    requires is_owned<T, usable_if_owned, Within...>
  operator T() const volatile noexcept {
    std::terminate();
  }
};
template <class... Within>
class owned_probe : public unusable_if_borrowed<Within...>, public usable_if_owned<Within...> {};
class lvalue_probe {
  friend class member_probing;
  template <class T>
  operator T&() const volatile noexcept {
    std::terminate();
  }
};
// A `const X&` member deduces T as const X; a member of type X never does.
class unusable_if_value {
  template <class T>
    requires(!std::is_const_v<T>)
  operator T&() const volatile noexcept {
    std::terminate();
  }
};
class usable_if_const {
  friend class member_probing;
  template <class T>
    requires std::is_const_v<T>
  operator T&() const volatile noexcept {
    std::terminate();
  }
};
class const_lvalue_probe : public unusable_if_value, public usable_if_const {};
// To what could also be copied from an lvalue if it were no reference, or could not be moved from an rvalue.
class rvalue_probe {
  friend class member_probing;
  template <class T>
    requires(!std::is_same_v<std::remove_cv_t<T>, rvalue_probe>) &&
            (std::is_copy_constructible_v<T> || !std::is_move_constructible_v<T>)
  operator T&&() const volatile noexcept {
    std::terminate();
  }
};
class no_probe {};

class member_probing {
  template <std::size_t, class Probe>
  using at = Probe;

 public:
  // Can an M be made of these initializers?
  template <class M, class... Probes>
  static consteval bool takes() {
    return requires { M{Probes{}...}; };
  }

  template <class M, class Probe, std::size_t... All>
  static consteval bool takes_all(std::index_sequence<All...>) {
    return takes<M, at<All, Probe>...>();
  }

  // The same, with a probe for one member and nothing special for those before and after it.
  template <class M, class Probe, std::size_t... Before, std::size_t... After>
  static consteval bool takes_one(std::index_sequence<Before...>, std::index_sequence<After...>) {
    return takes<M, at<Before, any_probe>..., Probe, at<After, any_probe>...>();
  }
};

template <class M, class Probe, std::size_t Number>
inline constexpr bool members_take = member_probing::takes_all<M, Probe>(std::make_index_sequence<Number>());

template <class M, class Probe, std::size_t Before, std::size_t After>
inline constexpr bool member_takes = member_probing::takes_one<M, Probe>(
    std::make_index_sequence<Before>(), std::make_index_sequence<After>());

inline constexpr std::size_t most_members = 32; // looked at; an array counts as its elements
inline constexpr std::size_t no_number = most_members + 1;

// How many initializers M takes, at most; no_number if it takes none of these, because of an `X&` member. It does not
// take few, where a member at the end has no default.
template <class M, std::size_t Number = 0, bool Some = false>
consteval std::size_t number_of_members() {
  if constexpr (Number > most_members) {
    return Some ? most_members : no_number;
  } else if constexpr (members_take<M, any_probe, Number>) {
    return number_of_members<M, Number + 1, true>();
  } else if constexpr (Some) {
    return Number - 1;
  } else {
    return number_of_members<M, Number + 1, false>();
  }
}

// True if M takes lvalues where it takes nothing else: for one of its members, or for all of them.
template <class M>
consteval bool has_lvalue_member() {
  constexpr std::size_t most = 8;
  return []<std::size_t... Number>(std::index_sequence<Number...>) {
    return (members_take<M, lvalue_probe, Number + 1> || ...);
  }(std::make_index_sequence<most>()) ||
         []<std::size_t... At>(std::index_sequence<At...>) {
           return (member_takes<M, lvalue_probe, At / most, At % most> || ...);
         }(std::make_index_sequence<most * most>());
}

// Does one of the members take this probe for what it is? One that takes simply anything tells nothing.
template <class M, std::size_t Number, class Probe, class Unlike = no_probe>
consteval bool has_member() {
  return []<std::size_t... At>(std::index_sequence<At...>) {
    return (
        (member_takes<M, Probe, At, Number - At - 1> && !member_takes<M, Unlike, At, Number - At - 1>) ||
        ...);
  }(std::make_index_sequence<Number>());
}

// NOLINTBEGIN(bugprone-branch-clone): each question is asked only where those before it were answered.
template <class M, class... Within>
consteval bool members_borrow() {
  constexpr std::size_t number = number_of_members<M>();
  if constexpr (number == no_number) {
    return has_lvalue_member<M>();
  } else if constexpr (number != 0 && !members_take<M, owned_probe<Within...>, number>) {
    return true;
  } else if constexpr (std::is_move_assignable_v<M>) {
    return false; // so it has no reference
  } else if constexpr (
      has_member<M, number, const_lvalue_probe>() ||
      (number != most_members && member_takes<M, lvalue_probe, number, 0>)) { // an `X&` with a default
    return true;
  } else if constexpr (!std::is_copy_constructible_v<M>) { // as is an aggregate with an `X&&` member
    return has_member<M, number, rvalue_probe, lvalue_probe>();
  } else {
    return false;
  }
}

// What a class of the standard library consists of, beside its value_type.
template <class T, class... Within>
struct parts_borrow : std::false_type {};
template <class... Parts, class... Within>
struct parts_borrow<std::tuple<Parts...>, Within...>
    : std::bool_constant<(finds_borrowed<Parts, Within...>() || ...)> {};
template <class... Parts, class... Within>
struct parts_borrow<std::variant<Parts...>, Within...>
    : std::bool_constant<(finds_borrowed<Parts, Within...>() || ...)> {};
template <class A, class B, class... Within>
struct parts_borrow<std::pair<A, B>, Within...>
    : std::bool_constant<finds_borrowed<A, Within...>() || finds_borrowed<B, Within...>()> {};

template <class T>
inline constexpr bool is_array_class = false;
template <class T, std::size_t Size>
inline constexpr bool is_array_class<std::array<T, Size>> = true;

template <class T, class... Within>
consteval bool finds_borrowed() {
  using type = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<decltype(borrows<type>), const bool>) {
    return borrows<type>; // the library or the user says so
  } else if constexpr (!std::is_class_v<type> && !std::is_union_v<type>) {
    return false;
  } else if constexpr ((std::is_same_v<type, Within> || ...) || !requires { sizeof(type); }) {
    return false;
  } else if constexpr (parts_borrow<type, type, Within...>::value) {
    return true;
  } else if constexpr (requires {
                         typename type::value_type;
                         requires finds_borrowed<typename type::value_type, type, Within...>();
                       }) {
    return true;
  } else if constexpr (std::is_aggregate_v<type> && !is_array_class<type>) {
    return members_borrow<type, type, Within...>();
  } else {
    return false;
  }
}
// NOLINTEND(bugprone-branch-clone)

// Would a message of this type refer to what its sender may destroy?
template <class M>
consteval bool message_borrows() {
  return finds_borrowed<M>();
}

} // namespace otpp::detail

#pragma GCC visibility pop
