// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/codec.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

using otpp::detail::term_reader;
using otpp::detail::term_writer;

static_assert(!otpp::detail::has_term_codec<char>); // is it a number?
static_assert(!otpp::detail::has_term_codec<char32_t>);
static_assert(!otpp::detail::has_term_codec<int*>);

namespace {

template <class T>
std::string put(const T& value) {
  term_writer to;
  otpp::detail::put_term(to, value);
  return to.take();
}

template <class T>
std::optional<T> get(std::string_view bytes, otpp::term_limits limits = {}) {
  term_reader from(bytes, limits);
  std::optional<T> value(std::in_place);
  if (!otpp::detail::get_term(from, *value) || !from.left().empty()) {
    value.reset();
  }
  return value;
}

// The value is written so, and read so; a part of it is nothing.
template <class T>
void check_both(const T& value, const std::string& bytes) {
  CHECK(put(value) == bytes);
  CHECK(get<T>(bytes) == value);
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CHECK_FALSE(get<T>(std::string_view(bytes).substr(0, size)));
  }
}

template <class T>
void check_borders() {
  constexpr T low = (std::numeric_limits<T>::min)();
  constexpr T high = (std::numeric_limits<T>::max)();
  for (T value : {low, static_cast<T>(low + 1), T(0), T(1), static_cast<T>(high - 1), high}) {
    CHECK(get<T>(put(value)) == value);
  }
  if constexpr (sizeof(T) < 8) {
    CHECK_FALSE(get<T>(put(std::int64_t{low} - 1)));
    CHECK_FALSE(get<T>(put(std::int64_t{high} + 1)));
  }
}

} // namespace

TEST_CASE("term codec: integers", "[term]") {
  check_both(5, bytes_of(97, 5));
  check_both(-1, bytes_of(98, 255, 255, 255, 255));
  check_both(std::uint8_t{200}, bytes_of(97, 200));
  check_both(UINT64_MAX, bytes_of(110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255));
  check_both(INT64_MIN, bytes_of(110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128));
  check_borders<std::int8_t>();
  check_borders<std::uint8_t>();
  check_borders<std::int16_t>();
  check_borders<std::uint16_t>();
  check_borders<std::int32_t>();
  check_borders<std::uint32_t>();
  check_borders<std::int64_t>();
  check_borders<std::uint64_t>();
}

TEST_CASE("term codec: an integer out of range does not fit", "[term]") {
  CHECK_FALSE(get<unsigned>(put(-1)));
  CHECK_FALSE(get<std::uint64_t>(put(-1)));
  CHECK_FALSE(get<std::int64_t>(put(UINT64_MAX)));
  CHECK_FALSE(get<std::int64_t>(bytes_of(110, 8, 0, 0, 0, 0, 0, 0, 0, 0, 128)));
  CHECK_FALSE(get<std::int64_t>(bytes_of(110, 8, 1, 1, 0, 0, 0, 0, 0, 0, 128)));
  CHECK_FALSE(get<std::uint64_t>(bytes_of(110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)));
}

TEST_CASE("term codec: bigs may have zeros in front, and be small", "[term]") {
  CHECK(get<int>(bytes_of(110, 1, 0, 5)) == 5);
  CHECK(get<int>(bytes_of(110, 3, 1, 5, 0, 0)) == -5);
  CHECK(get<int>(bytes_of(110, 12, 0, 5, std::string(11, '\0'))) == 5);
  CHECK(get<int>(bytes_of(111, 0, 0, 0, 12, 1, 5, std::string(11, '\0'))) == -5);
  CHECK(get<int>(bytes_of(110, 0, 0)) == 0);
  CHECK(get<unsigned>(bytes_of(110, 1, 1, 0)) == 0); // -0
  CHECK_FALSE(get<int>(bytes_of(111, 255, 255, 255, 255, 0, 5)));
}

TEST_CASE("term codec: what is no integer", "[term]") {
  CHECK_FALSE(get<int>(put(5.0)));
  CHECK_FALSE(get<int>(put(true)));
  CHECK_FALSE(get<int>(put(std::string("5"))));
  CHECK_FALSE(get<int>(bytes_of(106)));
}

TEST_CASE("term codec: booleans are two atoms", "[term]") {
  check_both(true, bytes_of(119, 4, "true"));
  check_both(false, bytes_of(119, 5, "false"));
  CHECK(get<bool>(bytes_of(100, 0, 4, "true")) == true);
  CHECK_FALSE(get<bool>(bytes_of(119, 2, "ok")));
  CHECK_FALSE(get<bool>(put(1)));
}

TEST_CASE("term codec: floats", "[term]") {
  check_both(1.5, bytes_of(70, 63, 248, 0, 0, 0, 0, 0, 0));
  check_both(1.5F, bytes_of(70, 63, 248, 0, 0, 0, 0, 0, 0));
  check_both(5e-324, bytes_of(70, 0, 0, 0, 0, 0, 0, 0, 1));
  CHECK(get<double>(put(5)) == 5.0);
  CHECK(get<double>(put(INT64_MIN)) == -9223372036854775808.0);
  CHECK(get<float>(put(-5)) == -5.0F);
  CHECK_FALSE(get<float>(put(1e300)));
  CHECK_FALSE(get<double>(put(true)));
  CHECK_THROWS_AS(put(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  CHECK_THROWS_AS(put(-std::numeric_limits<float>::infinity()), std::invalid_argument);
  CHECK_FALSE(get<double>(bytes_of(70, 127, 240, 0, 0, 0, 0, 0, 0))); // infinite
  CHECK_FALSE(get<double>(bytes_of(70, 127, 248, 0, 0, 0, 0, 0, 0))); // not a number
}

TEST_CASE("term codec: floats in the old form, as text", "[term]") {
  auto old = [](std::string_view text) { return bytes_of(99, text, std::string(31 - text.size(), '\0')); };
  CHECK(get<double>(old("1.50000000000000000000e+00")) == 1.5);
  CHECK(get<double>(old("-2.50000000000000000000e-01")) == -0.25);
  for (std::string_view bad : {"", "x", "1.5x", "nan", "inf", "1e999"}) {
    CHECK_FALSE(get<double>(old(bad)));
  }
}

TEST_CASE("term codec: a string is a binary, and accepts lists of bytes", "[term]") {
  check_both(std::string("ann"), bytes_of(109, 0, 0, 0, 3, "ann"));
  CHECK(get<std::string>(put(std::string())) == "");
  CHECK(get<std::string>(bytes_of(106)) == "");
  CHECK(get<std::string>(bytes_of(107, 0, 2, "hi")) == "hi");
  CHECK(get<std::string>(bytes_of(108, 0, 0, 0, 2, 97, 104, 97, 255, 106)) == "h\xFF");
  CHECK(get<std::string>(bytes_of(108, 0, 0, 0, 1, 98, 0, 0, 0, 104, 106)) == "h"); // an odd form of 104
  CHECK_FALSE(get<std::string>(bytes_of(108, 0, 0, 0, 1, 98, 0, 0, 1, 0, 106)));    // 256
  CHECK_FALSE(get<std::string>(bytes_of(108, 0, 0, 0, 1, 97, 104, 97, 105)));       // [104|105]
  CHECK_FALSE(get<std::string>(bytes_of(119, 2, "hi")));
  CHECK_FALSE(get<std::string>(bytes_of(77, 0, 0, 0, 1, 3, 160)));
  CHECK_FALSE(get<std::string>(bytes_of(109, 255, 255, 255, 255, "ann")));
  CHECK(put(std::string_view("ann")) == bytes_of(109, 0, 0, 0, 3, "ann"));
}

TEST_CASE("term codec: strings and atoms take no more memory than they may", "[term]") {
  std::string ten(10, 'x');
  CHECK(get<std::string>(put(ten), {.memory = 10}));
  CHECK_FALSE(get<std::string>(put(ten), {.memory = 9}));
  CHECK_FALSE(get<std::string>(bytes_of(107, 0, 10, ten), {.memory = 9}));
  CHECK_FALSE(get<std::string>(bytes_of(108, 0, 0, 0, 2, 97, 1, 97, 2, 106), {.memory = 1}));
  CHECK(get<otpp::atom>(put(otpp::atom(ten)), {.memory = 20}));
  CHECK_FALSE(get<otpp::atom>(put(otpp::atom(ten)), {.memory = 19}));
}

TEST_CASE("term codec: atoms in four forms", "[term]") {
  check_both(otpp::atom("ok"), bytes_of(119, 2, "ok"));
  check_both(otpp::atom(), bytes_of(119, 0));
  CHECK(get<otpp::atom>(bytes_of(118, 0, 2, "ok")) == otpp::atom("ok"));
  CHECK(get<otpp::atom>(bytes_of(100, 0, 3, "\xE9t\xFF")) == otpp::atom("\xC3\xA9t\xC3\xBF")); // Latin-1
  CHECK(get<otpp::atom>(bytes_of(115, 1, "\xE9")) == otpp::atom("\xC3\xA9"));
  CHECK(get<otpp::atom>(bytes_of(119, 2, "\xC3\xA9")) == otpp::atom("\xC3\xA9"));
  CHECK_FALSE(get<otpp::atom>(bytes_of(119, 1, "\xE9")));
  std::string longest(255, '\xE9');
  CHECK(get<otpp::atom>(bytes_of(115, 255, longest)));
  CHECK_FALSE(get<otpp::atom>(bytes_of(100, 1, 0, longest + "e"))); // 256 characters
  CHECK_FALSE(get<otpp::atom>(put(std::string("ok"))));
}
