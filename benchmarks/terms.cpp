// SPDX-License-Identifier: BSL-1.0

// Terms: values to the external term format and back, by otpp and, where it is there, by Erlang's own library for C, `ei`. Both check
// what they read; but ei does not know where the bytes end.

#include <otpp/term.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#ifdef OTPP_HAS_EI
#include <ei.h>
#endif

namespace {

struct add {
  int n = 0;
  static constexpr auto term = otpp::as::tagged("add");
};

add small() { return {5}; }

// From a byte to four.
std::vector<std::int32_t> long_row() {
  std::vector<std::int32_t> made(100);
  std::int32_t last = 1;
  for (std::int32_t& each : made) {
    each = last;
    last = last > 100'000'000 ? 1 : last * 3;
  }
  return made;
}

void check(bool holds) {
  if (!holds) {
    throw std::runtime_error("a term was not what it should be");
  }
}

template <auto Value>
void encode(benchmark::State& state) {
  auto value = Value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(value);
    std::string bytes = otpp::to_bytes(value);
    benchmark::DoNotOptimize(bytes);
  }
}

template <auto Value>
void decode(benchmark::State& state) {
  auto value = Value();
  std::string bytes = otpp::to_bytes(value);
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    check(otpp::from_bytes(bytes, value));
    benchmark::DoNotOptimize(value);
  }
}

BENCHMARK(encode<small>)->Name("term_encode_add");
BENCHMARK(decode<small>)->Name("term_decode_add");
BENCHMARK(encode<long_row>)->Name("term_encode_100_ints");
BENCHMARK(decode<long_row>)->Name("term_decode_100_ints");

#ifdef OTPP_HAS_EI

// Into bytes that are there already, which is how it is quickest.
int ei_write(std::array<char, 1000>& to, const add& value) {
  int at = 0;
  ei_encode_version(to.data(), &at);
  ei_encode_tuple_header(to.data(), &at, 2);
  ei_encode_atom(to.data(), &at, "add");
  ei_encode_long(to.data(), &at, value.n);
  return at;
}
int ei_write(std::array<char, 1000>& to, const std::vector<std::int32_t>& value) {
  int at = 0;
  ei_encode_version(to.data(), &at);
  ei_encode_list_header(to.data(), &at, static_cast<int>(value.size()));
  for (std::int32_t each : value) {
    ei_encode_long(to.data(), &at, each);
  }
  ei_encode_empty_list(to.data(), &at);
  return at;
}

void ei_read(const char* bytes, add& value) {
  int at = 0;
  int number = 0;
  std::array<char, MAXATOMLEN> name{};
  long n = 0;
  check(ei_decode_version(bytes, &at, &number) == 0);
  check(ei_decode_tuple_header(bytes, &at, &number) == 0 && number == 2);
  check(ei_decode_atom(bytes, &at, name.data()) == 0 && std::string_view(name.data()) == "add");
  check(ei_decode_long(bytes, &at, &n) == 0);
  value.n = static_cast<int>(n);
}
void ei_read(const char* bytes, std::vector<std::int32_t>& value) {
  int at = 0;
  int number = 0;
  check(ei_decode_version(bytes, &at, &number) == 0);
  check(ei_decode_list_header(bytes, &at, &number) == 0);
  value.clear();
  for (; number != 0; --number) {
    long n = 0;
    check(ei_decode_long(bytes, &at, &n) == 0);
    value.push_back(static_cast<std::int32_t>(n));
  }
  check(ei_decode_list_header(bytes, &at, &number) == 0 && number == 0);
}

template <auto Value>
void encode_by_ei(benchmark::State& state) {
  auto value = Value();
  std::array<char, 1000> bytes{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(value);
    benchmark::DoNotOptimize(ei_write(bytes, value));
    benchmark::DoNotOptimize(bytes);
  }
}

template <auto Value>
void decode_by_ei(benchmark::State& state) {
  auto value = Value();
  std::string bytes = otpp::to_bytes(value);
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    ei_read(bytes.data(), value);
    benchmark::DoNotOptimize(value);
  }
}

// Into memory of its own, as to_bytes.
void ei_write(ei_x_buff& to, const add& value) {
  ei_x_encode_tuple_header(&to, 2);
  ei_x_encode_atom(&to, "add");
  ei_x_encode_long(&to, value.n);
}
void ei_write(ei_x_buff& to, const std::vector<std::int32_t>& value) {
  ei_x_encode_list_header(&to, static_cast<long>(value.size()));
  for (std::int32_t each : value) {
    ei_x_encode_long(&to, each);
  }
  ei_x_encode_empty_list(&to);
}

template <auto Value>
void encode_by_ei_x(benchmark::State& state) {
  auto value = Value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(value);
    ei_x_buff bytes{};
    check(ei_x_new_with_version(&bytes) == 0);
    ei_write(bytes, value);
    benchmark::DoNotOptimize(bytes.buff);
    ei_x_free(&bytes);
  }
}

BENCHMARK(encode_by_ei<small>)->Name("ei_encode_add");
BENCHMARK(encode_by_ei_x<small>)->Name("ei_x_encode_add");
BENCHMARK(decode_by_ei<small>)->Name("ei_decode_add");
BENCHMARK(encode_by_ei<long_row>)->Name("ei_encode_100_ints");
BENCHMARK(encode_by_ei_x<long_row>)->Name("ei_x_encode_100_ints");
BENCHMARK(decode_by_ei<long_row>)->Name("ei_decode_100_ints");

#endif

} // namespace
