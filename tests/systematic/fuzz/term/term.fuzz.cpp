// SPDX-License-Identifier: BSL-1.0

// What a peer in Erlang sends: any bytes. A term gives back the bytes that came, can be walked and printed; what fits a type is
// encoded to bytes that mean the same.

#include <otpp/term.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
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

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

enum class color { red, green };

struct percent {
  int value = 0;
  bool operator==(const percent&) const = default;
};

struct tree {
  std::optional<std::int8_t> value;
  std::vector<tree> children;
  bool operator==(const tree&) const = default;
  static constexpr auto term = otpp::as::tagged("tree").absent("nil");
};

struct point {
  float x = 0;
  double y = 0;
  bool operator==(const point&) const = default;
  static constexpr auto term = otpp::as::tuple();
};

struct user {
  std::uint64_t id = 0;
  std::optional<std::string> name;
  std::vector<std::byte> key;
  bool operator==(const user&) const = default;
  static constexpr auto term = otpp::as::map("id", &user::id, "name", &user::name, "key", &user::key);
};

} // namespace

template <>
inline constexpr auto otpp::term_of<color> = otpp::as::atoms(color::red, "red", color::green, "green");
template <>
inline constexpr auto otpp::term_of<percent> = otpp::as::custom(
    [](const percent& one) { return one.value; },
    [](int value) { return value <= 100 ? std::optional(percent{value}) : std::nullopt; });

namespace {

// What has a form, all of it.
using anything = std::variant<
    bool, color, percent, std::int64_t, std::uint64_t, double, std::string, tree, point, user,
    std::map<std::string, int>, std::unordered_map<otpp::atom, std::set<int>>, std::array<int, 3>,
    std::deque<std::optional<std::uint16_t>>, std::pair<otpp::atom, std::vector<otpp::term>>,
    std::tuple<std::vector<bool>, std::vector<std::vector<user>>>, otpp::atom, otpp::reference,
    std::pair<otpp::port, otpp::binary>>;

template <class T>
void check_type(std::string_view bytes) {
  T value{};
  if (!otpp::from_bytes(bytes, value)) {
    return;
  }
  std::string again = otpp::to_bytes(value);
  T same{};
  require(
      otpp::from_bytes(again, same, {.depth = 1000, .memory = std::size_t(1) << 30}),
      "it does not read what it writes");
  require(same == value, "it reads something else than it has written");
}

std::size_t walk(const otpp::term_view& one, std::size_t depth) {
  std::size_t terms = 1;
  std::vector<otpp::term_view> parts = depth == 0 ? std::vector<otpp::term_view>() : one.elements();
  for (const otpp::term_view& part : parts) {
    terms += walk(part, depth - 1);
  }
  if (one.what() == otpp::term_view::kind::map) {
    one.at("id");
  }
  return terms;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size); // AddressSanitizer knows where it ends
  otpp::term whole;
  bool is_term = otpp::from_bytes(bytes, whole);
  if (is_term) {
    require(otpp::to_bytes(whole) == bytes, "a term is not what came");
    require(whole.view().copy() == whole, "a copy is another term");
    for (std::size_t most : {std::size_t(0), std::size_t(7), std::size_t(200), std::size_t(10'000)}) {
      require(whole.view().text(most).size() <= most + 3, "a text is too long");
    }
    require(walk(whole.view(), 5) <= 2 * size + 1, "there are more terms than bytes");
  }
  auto fits = [&]<class T>(std::in_place_type_t<T>) {
    T value{};
    require(is_term || !otpp::from_bytes(bytes, value), "what is no term fits a type");
    check_type<T>(bytes);
  };
  fits(std::in_place_type<anything>);
  fits(std::in_place_type<tree>);
  fits(std::in_place_type<user>);
  fits(std::in_place_type<std::vector<anything>>);
  fits(std::in_place_type<std::vector<float>>);
  fits(std::in_place_type<std::map<int, std::vector<percent>>>);
  return 0;
}
