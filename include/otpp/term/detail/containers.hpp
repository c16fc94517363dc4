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

// Reads a list, element by element: begin(number), add(term_reader&), and, for a list of bytes in short form, add(byte).
template <class Begin, class Add, class AddByte>
bool read_list(term_reader& from, std::size_t each_takes, Begin begin, Add add, AddByte add_byte) {
  std::size_t number = 0;
  if (from.is(term_tag::nil)) {
    return begin(0);
  }
  if (from.is(term_tag::string)) {
    std::string_view bytes;
    if (!from.counted(2, bytes) || !from.spend(bytes.size(), each_takes) || !begin(bytes.size())) {
      return false;
    }
    return std::all_of(
        bytes.begin(), bytes.end(), [&](char each) { return add_byte(static_cast<unsigned char>(each)); });
  }
  if (!from.is(term_tag::list) || !from.count(4, 1, number) || !from.spend(number, each_takes) ||
      !from.enter() || !begin(number)) {
    return false;
  }
  for (; number != 0; --number) {
    if (!add(from)) {
      return false;
    }
  }
  from.leave();
  return from.is(term_tag::nil);
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
      auto begin = [&](std::size_t size) {
        if constexpr (requires { value.reserve(size); }) {
          value.reserve(size);
        }
        return true;
      };
      auto add = [&](term_reader& reader) {
        element one{};
        if (!get_term(reader, one)) {
          return false;
        }
        value.insert(value.end(), std::move(one));
        return true;
      };
      auto add_byte = [&](unsigned char byte) { // whatever takes an integer takes this one
        std::array<char, 2> integer{static_cast<char>(term_tag::small_integer), static_cast<char>(byte)};
        term_reader reader(std::string_view(integer.data(), integer.size()));
        return add(reader);
      };
      return read_list(from, sizeof(element), begin, add, add_byte);
    } else {
      return false;
    }
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
    if constexpr (N != 0) {
      to.list(N);
      for (const T& each : value) {
        put_term(to, each);
      }
    }
    to.nil();
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
    to.tuple(sizeof...(T));
    std::apply([&](const T&... each) { (put_term(to, each), ...); }, value);
  }
  static bool get(term_reader& from, std::tuple<T...>& value) {
    std::size_t size = 0;
    if (!from.tuple(size) || size != sizeof...(T) || !from.enter()) {
      return false;
    }
    bool fits = std::apply([&](T&... each) { return (get_term(from, each) && ...); }, value);
    from.leave();
    return fits;
  }
};

template <class A, class B>
struct term_codec<std::pair<A, B>> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::pair<A, B>& value) {
    to.tuple(2);
    put_term(to, value.first);
    put_term(to, value.second);
  }
  static bool get(term_reader& from, std::pair<A, B>& value) {
    std::size_t size = 0;
    if (!from.tuple(size) || size != 2 || !from.enter()) {
      return false;
    }
    bool fits = get_term(from, value.first) && get_term(from, value.second);
    from.leave();
    return fits;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
