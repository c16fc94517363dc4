// SPDX-License-Identifier: BSL-1.0

/// How types of C++ and Erlang's terms correspond.
///
/// Numbers, texts and containers have a form of their own; that of a struct is a member, `static constexpr auto term`, or, for
/// enums and types that are not yours, a specialization of `otpp::term_of`. What the Erlang side sees is written there, and
/// not taken from the C++ names, so that renaming a struct changes no protocol.

#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The forms that a type's `term` may have.
namespace as {

/// `as::tagged`, with the members that it names.
template <class... Members>
struct tagged_form {
  std::string_view tag;
  std::tuple<Members...> members;
  std::string_view absent_atom = "undefined";

  /// Sends another atom than `undefined` in place of a `std::optional` that has no value.
  ///
  /// @param atom  `"nil"` for Elixir; a view of a text that lives as long as the program, as a literal does.
  ///              When reading, both are accepted.
  constexpr tagged_form absent(std::string_view atom) const {
    tagged_form result = *this;
    result.absent_atom = atom;
    return result;
  }
};

/// `{tag, Member1, Member2}`, an Erlang record; a struct without members is the atom.
///
/// @param tag      The atom that comes first.
/// @param members  Pointers to the members, in order. Without them all members of an aggregate, up to 16.
///
/// @par Example
/// @code
/// struct add { int n; static constexpr auto term = otpp::as::tagged("add"); };   // {add, N}
/// @endcode
template <class... Members>
  requires(std::is_member_object_pointer_v<Members> && ...)
constexpr tagged_form<Members...> tagged(std::string_view tag, Members... members) {
  return {tag, {members...}};
}

/// `as::tuple`.
struct tuple_form {};

/// `{Member1, Member2}`: all members of an aggregate, up to 16.
constexpr tuple_form tuple() { return {}; }

/// `as::map`, with its keys and members.
template <class... Members>
struct map_form {
  std::array<std::string_view, sizeof...(Members)> keys;
  std::tuple<Members...> members;
  std::string_view absent_atom = "undefined";

  /// As `tagged_form::absent`.
  ///
  /// @param atom  As there.
  constexpr map_form absent(std::string_view atom) const {
    map_form result = *this;
    result.absent_atom = atom;
    return result;
  }
};

/// A key of `as::map`.
using key = std::string_view;

/// `#{key1 => Member1, key2 => Member2}`, with atoms as keys.
///
/// What is received may have other keys as well; a key may be missing only if its member is a
/// `std::optional`.
///
/// @param parts  Keys and pointers to members in turn: `as::map("id", &user::id, "name", &user::name)`. The
///               keys are views of literals.
template <class... Parts>
  requires(sizeof...(Parts) % 2 == 0)
constexpr auto map(Parts... parts) {
  std::tuple<Parts...> all(parts...);
  return [&]<std::size_t... At>(std::index_sequence<At...>) {
    return map_form<std::tuple_element_t<(2 * At) + 1, std::tuple<Parts...>>...>{
        {key(std::get<2 * At>(all))...}, {std::get<(2 * At) + 1>(all)...}};
  }(std::make_index_sequence<sizeof...(Parts) / 2>());
}

/// `as::atoms`, with its pairs.
template <class Enum, std::size_t N>
struct atoms_form {
  std::array<Enum, N> values;
  std::array<std::string_view, N> texts;
};

/// An atom of a list for each value of an enum: `as::atoms(color::red, "red", color::green, "green")`. To
/// encode another value throws std::invalid_argument.
///
/// @param first  The first value.
/// @param more   Its atom, and then the other values, each with its atom, which is a view of a literal.
template <class Enum, class... More>
  requires(std::is_enum_v<Enum> && sizeof...(More) % 2 == 1)
constexpr auto atoms(Enum first, More... more) {
  constexpr std::size_t n = (1 + sizeof...(More)) / 2;
  std::tuple<Enum, More...> all(first, more...);
  return [&]<std::size_t... At>(std::index_sequence<At...>) {
    return atoms_form<Enum, n>{{std::get<2 * At>(all)...}, {key(std::get<(2 * At) + 1>(all))...}};
  }(std::make_index_sequence<n>());
}

/// `as::charlist`.
struct charlist_form {};

/// A list of code points, as Erlang's `"text"` is, of an aggregate whose only member is a `std::string` in UTF-8.
constexpr charlist_form charlist() { return {}; }

/// `as::custom`, with its functions.
template <class To, class From>
struct custom_form {
  To to;
  From from;
};

/// Whatever two functions make of the type: another type that has a form, and back.
///
/// @param to    Takes a value of the type, and returns one of a type that has a form.
/// @param from  Takes that, and returns a `std::optional` of the type, empty if the content does not fit.
///
/// @par Example
/// @code
/// template <>
/// inline constexpr auto otpp::term_of<std::chrono::seconds> = otpp::as::custom(
///     [](std::chrono::seconds time) { return time.count(); },
///     [](std::int64_t count) { return std::optional(std::chrono::seconds(count)); });
/// @endcode
template <class To, class From>
constexpr custom_form<To, From> custom(To to, From from) {
  return {to, from};
}

} // namespace as

/// What `term_of` is for types without a form.
struct no_form {};

/// The form of a type. Specialize it for enums, and for types that are not yours, in the same file for all that encode them.
///
/// @par Example
/// @code
/// template <>
/// inline constexpr auto otpp::term_of<color> = otpp::as::atoms(color::red, "red", color::green, "green");
/// @endcode
template <class T>
inline constexpr auto term_of = no_form();

/// A struct that says it itself, by a member `term`.
template <class T>
  requires requires { T::term; }
inline constexpr auto term_of<T> = T::term;

} // namespace otpp

#pragma GCC visibility pop
