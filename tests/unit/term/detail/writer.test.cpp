// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/writer.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

namespace {

template <class Write>
std::string written(Write write) {
  otpp::detail::term_writer to;
  write(to);
  return to.take();
}

template <class T>
std::string integer(T value) {
  return written([&](auto& to) { to.integer(value); });
}

} // namespace

TEST_CASE("term writer: integers have the smallest tag, as Erlang's have", "[term]") {
  CHECK(integer(std::int64_t{0}) == bytes_of(97, 0));
  CHECK(integer(std::int64_t{255}) == bytes_of(97, 255));
  CHECK(integer(std::int64_t{256}) == bytes_of(98, 0, 0, 1, 0));
  CHECK(integer(std::int64_t{-1}) == bytes_of(98, 255, 255, 255, 255));
  CHECK(integer(std::int64_t{INT32_MIN}) == bytes_of(98, 128, 0, 0, 0));
  CHECK(integer(std::int64_t{INT32_MAX}) == bytes_of(98, 127, 255, 255, 255));
  CHECK(integer(std::int64_t{2147483648}) == bytes_of(110, 4, 0, 0, 0, 0, 128));
  CHECK(integer(std::int64_t{-2147483649}) == bytes_of(110, 4, 1, 1, 0, 0, 128));
  CHECK(integer(std::int64_t{1} << 32) == bytes_of(110, 5, 0, 0, 0, 0, 0, 1));
  CHECK(integer(INT64_MIN) == bytes_of(110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128));
  CHECK(integer(std::uint64_t{7}) == bytes_of(97, 7));
  CHECK(integer(UINT64_MAX) == bytes_of(110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255));
}

TEST_CASE("term writer: heads that have a short and a long form", "[term]") {
  CHECK(written([](auto& to) { to.tuple(255); }) == bytes_of(104, 255));
  CHECK(written([](auto& to) { to.tuple(256); }) == bytes_of(105, 0, 0, 1, 0));
  CHECK(written([](auto& to) { to.atom("ok"); }) == bytes_of(119, 2, "ok"));
  CHECK(
      written([](auto& to) { to.atom(std::string(255, 'x')); }) == bytes_of(119, 255, std::string(255, 'x')));
  CHECK(written([](auto& to) {
          to.atom(std::string(256, 'x'));
        }) == bytes_of(118, 1, 0, std::string(256, 'x')));
  CHECK(written([](auto& to) { to.list(65536); }) == bytes_of(108, 0, 1, 0, 0));
  CHECK(written([](auto& to) { to.map(1); }) == bytes_of(116, 0, 0, 0, 1));
  CHECK(written([](auto& to) { to.binary("ann"); }) == bytes_of(109, 0, 0, 0, 3, "ann"));
}

TEST_CASE("term writer: floats are finite", "[term]") {
  CHECK(written([](auto& to) { to.floating(1.5); }) == bytes_of(70, 63, 248, 0, 0, 0, 0, 0, 0));
  CHECK(written([](auto& to) { to.floating(-0.0); }) == bytes_of(70, 128, 0, 0, 0, 0, 0, 0, 0));
  otpp::detail::term_writer to;
  CHECK_THROWS_AS(to.floating(std::numeric_limits<double>::infinity()), std::invalid_argument);
  CHECK_THROWS_AS(to.floating(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}

TEST_CASE("term writer: lengths of more than 32 bits are refused", "[term]") {
  if constexpr (sizeof(std::size_t) > 4) {
    otpp::detail::term_writer to;
    CHECK_THROWS_AS(to.list(std::size_t{UINT32_MAX} + 1), std::length_error);
    CHECK_THROWS_AS(to.tuple(std::size_t{UINT32_MAX} + 1), std::length_error);
    CHECK_THROWS_AS(to.map(std::size_t{UINT32_MAX} + 1), std::length_error);
  }
}
