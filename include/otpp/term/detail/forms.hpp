// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/containers.hpp>
#include <otpp/term/detail/members.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/form.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class T>
using form_of = std::remove_const_t<decltype(term_of<T>)>;

template <class Form>
inline constexpr bool is_tagged_form = false;
template <class... M>
inline constexpr bool is_tagged_form<as::tagged_form<M...>> = true;
template <class Form>
inline constexpr bool is_map_form = false;
template <class... M>
inline constexpr bool is_map_form<as::map_form<M...>> = true;
template <class Form>
inline constexpr bool is_atoms_form = false;
template <class E, std::size_t N>
inline constexpr bool is_atoms_form<as::atoms_form<E, N>> = true;
template <class Form>
inline constexpr bool is_custom_form = false;
template <class To, class From>
inline constexpr bool is_custom_form<as::custom_form<To, From>> = true;

// While a struct is written, its own atom for nothing is in force.
class absent_while {
 public:
  absent_while(term_writer& to, std::string_view atom) noexcept
      : to_(to), outer_(std::exchange(to.absent, atom)) {}
  absent_while(const absent_while&) = delete;
  absent_while& operator=(const absent_while&) = delete;
  ~absent_while() { to_.absent = outer_; }

 private:
  term_writer& to_;
  std::string_view outer_;
};

template <class T>
  requires(is_tagged_form<form_of<T>>)
struct term_codec<T> {
  static constexpr bool is_codec = true;
  static constexpr auto& form = term_of<T>;
  static constexpr bool names_members = std::tuple_size_v<decltype(form.members)> != 0;

  // The number of members, and so of what follows the tag.
  static constexpr std::size_t arity = [] {
    if constexpr (names_members) {
      return std::tuple_size_v<decltype(form.members)>;
    } else {
      return check_term_members<T>() ? number_of_term_members<T>() : 0;
    }
  }();

  static void put(term_writer& to, const T& value) {
    absent_while mine(to, form.absent_atom);
    visit(value, [&](const auto&... each) {
      if constexpr (sizeof...(each) != 0) {
        to.tuple(1 + sizeof...(each));
      }
      to.atom(form.tag);
      (put_term(to, each), ...);
    });
  }
  static bool get(term_reader& from, T& value) {
    return visit(value, [&](auto&... each) {
      if constexpr (sizeof...(each) == 0) {
        return from.is_atom(form.tag);
      } else {
        return get_tuple(from, form.tag, each...);
      }
    });
  }

 private:
  template <class U, class Visit>
  static constexpr decltype(auto) visit(U& value, Visit call) {
    if constexpr (names_members) {
      return std::apply(
          [&](auto... member) -> decltype(auto) { return call(value.*member...); }, form.members);
    } else {
      return with_term_members(value, call);
    }
  }
};

template <class T>
  requires(std::same_as<form_of<T>, as::tuple_form>)
struct term_codec<T> {
  static constexpr bool is_codec = check_term_members<T>();
  static void put(term_writer& to, const T& value) {
    absent_while mine(to, "undefined");
    with_term_members(value, [&](const auto&... each) { put_tuple(to, each...); });
  }
  static bool get(term_reader& from, T& value) {
    return with_term_members(value, [&](auto&... each) { return get_tuple(from, std::nullopt, each...); });
  }
};

template <class T>
inline constexpr bool may_be_missing = false;
template <class T>
inline constexpr bool may_be_missing<std::optional<T>> = true;

template <class T>
  requires(is_map_form<form_of<T>>)
struct term_codec<T> {
  static constexpr bool is_codec = true;
  static constexpr auto& form = term_of<T>;
  static constexpr std::size_t size = std::tuple_size_v<decltype(form.members)>;

  static void put(term_writer& to, const T& value) {
    absent_while mine(to, form.absent_atom);
    to.map(size);
    each([&](std::string_view key, auto member, std::size_t) {
      to.atom(key);
      put_term(to, value.*member);
      return true;
    });
  }
  static bool get(term_reader& from, T& value) {
    std::size_t left = 0;
    if (!from.map(left) || !from.enter()) {
      return false;
    }
    std::array<bool, size> seen{};
    for (; left != 0; --left) {
      std::size_t place = from.place();
      std::string_view key;
      bool is_latin = false;
      bool is_atom = from.atom(key, is_latin);
      if (!is_atom) { // a key that is none of ours
        from.back_to(place);
        if (!from.skip()) {
          return false;
        }
      }
      bool is_known = false;
      bool fits = each([&](std::string_view wanted, auto member, std::size_t at) {
        if (!is_atom || is_known || key != wanted) {
          return true;
        }
        is_known = seen[at] = true;
        return get_term(from, value.*member);
      });
      if (!fits || (!is_known && !from.skip())) {
        return false;
      }
    }
    from.leave();
    return each([&](std::string_view, auto member, std::size_t at) {
      using type = std::remove_reference_t<decltype(value.*member)>;
      if constexpr (may_be_missing<type>) {
        if (!seen[at]) {
          (value.*member).reset();
        }
        return true;
      } else {
        return seen[at];
      }
    });
  }

 private:
  template <class Call>
  static bool each(Call call) {
    return [&]<std::size_t... At>(std::index_sequence<At...>) {
      return (call(form.keys[At], std::get<At>(form.members), At) && ...);
    }(std::make_index_sequence<size>());
  }
};

template <class T>
  requires(is_atoms_form<form_of<T>>)
struct term_codec<T> {
  static constexpr bool is_codec = true;
  static constexpr auto& form = term_of<T>;
  static void put(term_writer& to, T value) {
    auto found = std::find(form.values.begin(), form.values.end(), value);
    if (found == form.values.end()) {
      throw std::invalid_argument(
          "otpp: its form has no atom for the value " + std::to_string(static_cast<std::int64_t>(value)));
    }
    to.atom(form.texts[static_cast<std::size_t>(found - form.values.begin())]);
  }
  static bool get(term_reader& from, T& value) noexcept {
    std::string_view text;
    bool is_latin = false;
    if (!from.atom(text, is_latin)) {
      return false;
    }
    auto found = std::find(form.texts.begin(), form.texts.end(), text);
    if (found == form.texts.end()) {
      return false;
    }
    value = form.values[static_cast<std::size_t>(found - form.texts.begin())];
    return true;
  }
};

template <class T>
  requires(std::same_as<form_of<T>, as::charlist_form>)
struct term_codec<T> {
  static constexpr bool is_codec = check_term_members<T>() && number_of_term_members<T>() == 1;
  static_assert(is_codec, "otpp: as::charlist is for a struct with one member, a std::string");

  static void put(term_writer& to, const T& value) {
    const auto& [text] = value;
    std::vector<std::uint32_t> points;
    for (std::string_view left = text; !left.empty();) {
      std::size_t length = utf8_length(left);
      if (length == 0) {
        throw std::invalid_argument("otpp: a charlist is made of UTF-8");
      }
      points.push_back(code_point(left.substr(0, length)));
      left.remove_prefix(length);
    }
    put_term(to, points);
  }
  static bool get(term_reader& from, T& value) {
    auto& [text] = value;
    std::vector<std::uint32_t> points;
    text.clear();
    return get_term(from, points) && from.spend(points.size()) &&
           std::all_of(
               points.begin(), points.end(), [&](std::uint32_t point) { return append_utf8(text, point); });
  }
};

template <class T>
  requires(is_custom_form<form_of<T>>)
struct term_codec<T> {
  static constexpr bool is_codec = true;
  using other = std::remove_cvref_t<decltype(term_of<T>.to(std::declval<const T&>()))>;
  static void put(term_writer& to, const T& value) { put_term<other>(to, term_of<T>.to(value)); }
  static bool get(term_reader& from, T& value) {
    other read{};
    if (!from.enter() || !get_term(from, read)) {
      return false;
    }
    from.leave();
    std::optional<T> made = term_of<T>.from(std::move(read));
    if (made) {
      value = std::move(*made);
    }
    return made.has_value();
  }
};

// ---- variants ----

// What tells a struct's term from another's at a glance: its tag and its arity.
template <class A, class B>
consteval bool look_alike() {
  if constexpr (is_tagged_form<form_of<A>> && is_tagged_form<form_of<B>>) {
    return term_of<A>.tag == term_of<B>.tag && term_codec<A>::arity == term_codec<B>::arity;
  } else {
    return false;
  }
}

template <class First, class... Rest>
consteval bool all_differ() {
  if constexpr (sizeof...(Rest) == 0) {
    return true;
  } else {
    return !(look_alike<First, Rest>() || ...) && all_differ<Rest...>();
  }
}

// The first alternative that fits.
template <class... T>
struct term_codec<std::variant<T...>> {
  static constexpr bool is_codec = true;
  static_assert(
      all_differ<T...>(),
      "otpp: two alternatives of this variant have the same tag and as many members, so that none could "
      "tell them apart");
  static void put(term_writer& to, const std::variant<T...>& value) {
    std::visit([&](const auto& one) { put_term(to, one); }, value);
  }
  static bool get(term_reader& from, std::variant<T...>& value) {
    static_assert((check_default<T>() && ...));
    std::size_t place = from.place();
    auto fits = [&]<class One>(std::type_identity<One>) {
      term_reader attempt = from; // of what does not fit the place and the depth are forgotten
      attempt.back_to(place);
      One one{};
      if (!get_term(attempt, one)) {
        from.spend_as(attempt);
        return false;
      }
      from = attempt;
      value = std::move(one);
      return true;
    };
    return (fits(std::type_identity<T>()) || ...);
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
