// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reads a tuple of just these, behind `tag` if there is one.
template <class... T>
bool get_tuple(term_reader& from, std::optional<std::string_view> tag, T&... each) {
  std::size_t size = 0;
  if (!from.tuple(size) || size != sizeof...(T) + (tag ? 1 : 0) || (tag && !from.is_atom(*tag)) ||
      !from.enter()) {
    return false;
  }
  bool fits = (get_term(from, each) && ...);
  from.leave();
  return fits;
}

template <class... T>
void put_tuple(term_writer& to, const T&... each) {
  to.tuple(sizeof...(T));
  (put_term(to, each), ...);
}

// Lists: what is kept in the order of the list, and sets.
template <class Container>
struct list_codec {
  using element = typename Container::value_type;
  static constexpr bool is_codec = true;

  static void put(term_writer& to, const Container& value) {
    if (!value.empty()) {
      to.list(value.size());
      for (const auto& each : value) {
        put_term<element>(to, each);
      }
    }
    to.nil();
  }

  static bool get(term_reader& from, Container& value) {
    if constexpr (check_default<element>()) {
      value.clear();
      if (from.is(term_tag::nil)) {
        return true;
      }
      if (from.is(term_tag::string)) { // a list of bytes, in short: whatever takes an integer takes these
        std::string_view bytes;
        return from.counted(2, bytes) && begin(from, bytes.size(), value) &&
               std::all_of(bytes.begin(), bytes.end(), [&](char each) {
                 std::array<char, 2> integer{static_cast<char>(term_tag::small_integer), each};
                 term_reader reader(std::string_view(integer.data(), integer.size()));
                 return add(reader, value);
               });
      }
      std::size_t size = 0;
      if (!from.is(term_tag::list) || !from.count(4, 1, size) || !from.enter() || !begin(from, size, value)) {
        return false;
      }
      for (; size != 0; --size) {
        if (!add(from, value)) {
          return false;
        }
      }
      from.leave();
      return from.is(term_tag::nil);
    } else {
      return false;
    }
  }

 private:
  static bool begin(term_reader& from, std::size_t size, Container& value) {
    if (!from.spend(size, sizeof(element))) {
      return false;
    }
    if constexpr (requires { value.reserve(size); }) {
      value.reserve(size);
    }
    return true;
  }
  static bool add(term_reader& from, Container& value) {
    element one{};
    if (!get_term(from, one)) {
      return false;
    }
    value.insert(value.end(), std::move(one));
    return true;
  }
};

template <class T>
struct term_codec<std::vector<T>> : list_codec<std::vector<T>> {};
template <class T>
struct term_codec<std::deque<T>> : list_codec<std::deque<T>> {};
template <class T, class Less>
struct term_codec<std::set<T, Less>> : list_codec<std::set<T, Less>> {};

// A list of just so many.
template <class T, std::size_t N>
struct term_codec<std::array<T, N>> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::array<T, N>& value) {
    list_codec<std::array<T, N>>::put(to, value);
  }
  static bool get(term_reader& from, std::array<T, N>& value) {
    std::vector<T> all;
    if (!get_term(from, all) || all.size() != N) {
      return false;
    }
    std::move(all.begin(), all.end(), value.begin());
    return true;
  }
};

// Bytes are a binary.
template <>
struct term_codec<std::vector<std::byte>> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::vector<std::byte>& value) {
    to.binary({reinterpret_cast<const char*>(value.data()), value.size()});
  }
  static bool get(term_reader& from, std::vector<std::byte>& value) {
    std::string_view bytes;
    if (!from.is(term_tag::binary) || !from.counted(4, bytes) || !from.spend(bytes.size())) {
      return false;
    }
    value.resize(bytes.size());
    for (std::size_t at = 0; at != bytes.size(); ++at) {
      value[at] = static_cast<std::byte>(bytes[at]);
    }
    return true;
  }
};

// Nothing is `undefined`, or what the struct's form says for it; `nil` is accepted, too.
template <class T>
struct term_codec<std::optional<T>> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::optional<T>& value) {
    if (value) {
      put_term(to, *value);
    } else {
      to.atom(to.absent);
    }
  }
  static bool get(term_reader& from, std::optional<T>& value) {
    if constexpr (check_default<T>()) {
      std::size_t place = from.place();
      std::string_view text;
      bool is_latin = false;
      if (from.atom(text, is_latin) && (text == "undefined" || text == "nil")) {
        value.reset();
        return true;
      }
      from.back_to(place);
      return get_term(from, value.emplace());
    } else {
      return false;
    }
  }
};

// Of equal keys the last counts.
template <class Map>
struct map_codec {
  using key = typename Map::key_type;
  using mapped = typename Map::mapped_type;
  static constexpr bool is_codec = true;

  static void put(term_writer& to, const Map& value) {
    to.map(value.size());
    for (const auto& [one, content] : value) {
      put_term(to, one);
      put_term(to, content);
    }
  }
  static bool get(term_reader& from, Map& value) {
    if constexpr (check_default<key>() && check_default<mapped>()) {
      constexpr std::size_t node = 48; // what an entry takes beside its content
      std::size_t size = 0;
      value.clear();
      if (!from.map(size) || !from.spend(size, sizeof(key) + sizeof(mapped) + node) || !from.enter()) {
        return false;
      }
      for (; size != 0; --size) {
        key one{};
        mapped content{};
        if (!get_term(from, one) || !get_term(from, content)) {
          return false;
        }
        value.insert_or_assign(std::move(one), std::move(content));
      }
      from.leave();
      return true;
    } else {
      return false;
    }
  }
};

template <class K, class V, class Less>
struct term_codec<std::map<K, V, Less>> : map_codec<std::map<K, V, Less>> {};
template <class K, class V, class Hash, class Equal>
struct term_codec<std::unordered_map<K, V, Hash, Equal>> : map_codec<std::unordered_map<K, V, Hash, Equal>> {
};

template <class... T>
struct term_codec<std::tuple<T...>> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::tuple<T...>& value) {
    std::apply([&](const T&... each) { put_tuple(to, each...); }, value);
  }
  static bool get(term_reader& from, std::tuple<T...>& value) {
    return std::apply([&](T&... each) { return get_tuple(from, std::nullopt, each...); }, value);
  }
};

template <class A, class B>
struct term_codec<std::pair<A, B>> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::pair<A, B>& value) { put_tuple(to, value.first, value.second); }
  static bool get(term_reader& from, std::pair<A, B>& value) {
    return get_tuple(from, std::nullopt, value.first, value.second);
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
