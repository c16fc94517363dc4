// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/json.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

using otpp::detail::json_writer;
using otpp::detail::valid_utf8;

namespace {

template <class T>
std::string json_of(const T& one) {
  json_writer json;
  json.value(one);
  return json.text();
}

} // namespace

TEST_CASE("observer json: objects and arrays, with commas where they belong", "[observer]") {
  json_writer json;
  json.object([&] {
    json.member("a", 1U).member("b", "x").key("c").array(
        [&] { json.value(true).value(nullptr).object([] {}).array([] {}); });
    json.key("d").object([&] { json.member("e", std::optional<std::uint64_t>()); });
  });
  CHECK(json.text() == R"({"a": 1, "b": "x", "c": [true, null, {}, []], "d": {"e": null}})");
}

TEST_CASE("observer json: any bytes are a valid text", "[observer]") {
  CHECK(json_of("a\"b\\c") == R"("a\"b\\c")");
  CHECK(json_of(std::string_view("\0\n\x1f\x7f", 4)) == R"("\u0000\u000a\u001f\u007f")");
  CHECK(
      json_of("<b>&\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80") == "\"<b>&\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");

  const std::string bad = "\xEF\xBF\xBD";
  CHECK(valid_utf8("a\xFFz") == "a" + bad + "z");
  CHECK(valid_utf8("\xC3") == bad);                               // cut off
  CHECK(valid_utf8("\xE2\x82") == bad + bad);                     // cut off
  CHECK(valid_utf8("\xC0\xAF") == bad + bad);                     // longer than need be
  CHECK(valid_utf8("\xE0\x80\x80") == bad + bad + bad);           // likewise
  CHECK(valid_utf8("\xED\xA0\x80") == bad + bad + bad);           // a surrogate
  CHECK(valid_utf8("\xF4\x90\x80\x80") == bad + bad + bad + bad); // beyond Unicode
  CHECK(valid_utf8("\xF0\x8F\xBF\xBF") == bad + bad + bad + bad);
  CHECK(valid_utf8("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF") == "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF");
}

TEST_CASE("observer json: numbers are finite", "[observer]") {
  CHECK(json_of(0.25) == "0.25");
  CHECK(json_of(12.0) == "12");
  CHECK(json_of(1764275000.25) == "1764275000.25");
  CHECK(json_of(1000.0) == "1000");
  CHECK(json_of(-1234.5) == "-1234.5");
  CHECK(json_of(std::numeric_limits<double>::infinity()) == "null");
  CHECK(json_of(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(json_of((std::numeric_limits<std::uint64_t>::max)()) == "18446744073709551615");
}
