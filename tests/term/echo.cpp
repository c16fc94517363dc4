// SPDX-License-Identifier: BSL-1.0

// Gives terms back to erlang.escript, as {packet, 4}. The first byte of a frame says as what they are decoded:
// as `t` any, which is also looked into, `c` any, `i` std::int64_t, `u` std::uint64_t, `r` the struct below. What does not fit comes
// back as the atom `refused`.

#include <otpp/term.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

enum class color { red, green };
template <>
inline constexpr auto otpp::term_of<color> = otpp::as::atoms(color::red, "red", color::green, "green");

template <>
inline constexpr auto otpp::term_of<std::chrono::seconds> = otpp::as::custom(
    [](std::chrono::seconds time) { return std::int64_t(time.count()); },
    [](std::int64_t count) { return std::optional(std::chrono::seconds(count)); });

struct none {
  static constexpr auto term = otpp::as::tagged("none");
};
struct pair_of {
  std::int32_t a;
  std::uint8_t b;
  static constexpr auto term = otpp::as::tagged("pair_of");
};
struct point {
  std::int16_t x;
  std::uint16_t y;
  static constexpr auto term = otpp::as::tuple();
};
struct user {
  std::int64_t id;
  std::optional<std::string> name;
  static constexpr auto term = otpp::as::map("id", &user::id, "name", &user::name).absent("nil");
};

struct name {
  std::string text;
  static constexpr auto term = otpp::as::charlist();
};

// Every row of the table in docs/terms.md.
struct rows {
  none without_members;
  pair_of tagged;
  point tuple;
  user map_of_members;
  color atoms;
  std::chrono::seconds custom{};
  bool yes = false;
  std::int64_t integer = 0;
  std::uint64_t natural = 0;
  float single = 0;
  double real = 0;
  std::string binary;
  std::vector<std::byte> bytes;
  std::map<std::string, std::int32_t> map;
  std::unordered_map<std::int64_t, otpp::atom> hashed;
  std::pair<otpp::atom, double> pair;
  std::tuple<std::int8_t, std::string, bool> three;
  std::vector<std::int64_t> list;
  std::deque<std::uint8_t> deque;
  std::set<std::string> set;
  std::array<double, 2> array{};
  std::optional<std::int64_t> optional;
  std::variant<none, pair_of, std::string> variant;
  otpp::atom atom;
  otpp::term any;
  name charlist;
  otpp::reference reference;
  otpp::port port;
  otpp::binary shared;

  static constexpr auto term = otpp::as::tagged(
      "rows", &rows::without_members, &rows::tagged, &rows::tuple, &rows::map_of_members, &rows::atoms,
      &rows::custom, &rows::yes, &rows::integer, &rows::natural, &rows::single, &rows::real, &rows::binary,
      &rows::bytes, &rows::map, &rows::hashed, &rows::pair, &rows::three, &rows::list, &rows::deque,
      &rows::set, &rows::array, &rows::optional, &rows::variant, &rows::atom, &rows::any, &rows::charlist,
      &rows::reference, &rows::port, &rows::shared);
};

template <class T>
std::string echo(std::string_view bytes) {
  T value{};
  return otpp::from_bytes(bytes, value) ? otpp::to_bytes(value) : otpp::to_bytes(otpp::atom("refused"));
}

// Walks and prints it, too: a sanitizer sees whether that reads what is not there.
std::string echo_any(std::string_view bytes) {
  otpp::term any = otpp::from_bytes<otpp::term>(bytes);
  bool is_shown = !any.view().text(200).empty();
  for (const otpp::term_view& part : any.view().elements()) {
    is_shown = is_shown && !part.text(200).empty();
  }
  return otpp::to_bytes(is_shown ? any : otpp::term::of(otpp::atom("not_shown")));
}

int main() {
  std::ios::sync_with_stdio(false);
  std::string frame;
  for (char head[4]; std::cin.read(head, sizeof head);) {
    std::size_t size = 0;
    for (char byte : head) {
      size = size << 8 | static_cast<unsigned char>(byte);
    }
    frame.resize(size);
    if (size == 0 || !std::cin.read(frame.data(), static_cast<std::streamsize>(size))) {
      return 1;
    }
    std::string_view bytes = std::string_view(frame).substr(1);
    std::string answer = frame[0] == 't'   ? echo_any(bytes)
                         : frame[0] == 'c' ? echo<otpp::term>(bytes)
                         : frame[0] == 'i' ? echo<std::int64_t>(bytes)
                         : frame[0] == 'u' ? echo<std::uint64_t>(bytes)
                                           : echo<rows>(bytes);
    for (int shift : {24, 16, 8, 0}) {
      std::cout.put(static_cast<char>(answer.size() >> shift & 0xFF));
    }
    std::cout << answer << std::flush;
  }
}
