// SPDX-License-Identifier: BSL-1.0

// Terms by Erlang's own library for C, `ei`, and by otpp: ei [<rounds>] [<seed>]
//
// Both encode random values to the same bytes, and each reads those of the other. Of bytes that are changed at random, what otpp
// reads as a term ei reads as well, to its last byte. Not the other way round: ei knows no length, and reads beyond the end.

#include <otpp/term.hpp>

#include "support/dice.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ei.h>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct name {
  std::string text;
  static constexpr auto term = otpp::as::charlist();
  friend bool operator==(const name&, const name&) = default;
};

struct row {
  std::int64_t integer = 0;
  std::uint64_t natural = 0;
  double real = 0;
  bool yes = false;
  std::string binary;
  otpp::atom atom;
  std::vector<std::int64_t> list;
  std::map<std::string, std::int64_t> map;
  std::pair<otpp::atom, double> pair;
  std::optional<std::string> optional;
  name charlist;
  static constexpr auto term = otpp::as::tagged(
      "row", &row::integer, &row::natural, &row::real, &row::yes, &row::binary, &row::atom, &row::list,
      &row::map, &row::pair, &row::optional, &row::charlist);
  friend bool operator==(const row&, const row&) = default;
};

void check(bool holds, const char* what) {
  if (!holds) {
    throw std::runtime_error(what);
  }
}

// ---- random values ----

class random_values {
 public:
  explicit random_values(std::uint64_t seed) : roll_(seed) {}

  dice& roll() { return roll_; }

  row next() {
    row made;
    made.integer = integer();
    made.natural = static_cast<std::uint64_t>(integer());
    made.real = real();
    made.yes = roll_.below(2) == 0;
    made.binary = text(256, 300);
    made.atom = otpp::atom(word());
    for (std::size_t n = roll_.below(20); n != 0; --n) {
      made.list.push_back(integer());
    }
    for (std::size_t n = roll_.below(5); n != 0; --n) {
      made.map[text(256, 20)] = integer();
    }
    made.pair = {otpp::atom(word()), real()};
    if (roll_.below(2) == 0) {
      made.optional = text(256, 20);
    }
    made.charlist.text = text(128, 40);
    return made;
  }

 private:
  // Each number of bits as often as any other, so that each border is met.
  std::int64_t integer() {
    std::uint64_t all = std::uint64_t(roll_.roll()) << 32 | roll_.roll();
    all >>= roll_.below(64);
    return static_cast<std::int64_t>(roll_.below(2) == 0 ? all : ~all);
  }
  double real() { return static_cast<double>(integer()) / 1024; }
  std::string text(std::uint32_t characters, std::uint32_t most) {
    std::string made(roll_.below(most), ' ');
    for (char& each : made) {
      each = static_cast<char>(roll_.below(characters));
    }
    return made;
  }
  std::string word() { // in UTF-8
    std::string made;
    for (std::size_t n = roll_.below(256); n != 0; --n) {
      made += roll_.below(2) == 0 ? "a" : "\xC3\xA4";
    }
    return made;
  }

  dice roll_;
};

// ---- by ei ----

class ei_writer {
 public:
  ei_writer() { check(ei_x_new_with_version(&to_) == 0, "ei has no memory"); }
  ei_writer(const ei_writer&) = delete;
  ei_writer& operator=(const ei_writer&) = delete;
  ~ei_writer() { ei_x_free(&to_); }

  std::string_view bytes() const { return {to_.buff, static_cast<std::size_t>(to_.index)}; }

  void put(const row& one) {
    ei_x_encode_tuple_header(&to_, 12);
    put(otpp::atom("row"));
    put(one.integer);
    one.natural > std::uint64_t(std::numeric_limits<std::int32_t>::max())
        ? void(ei_x_encode_ulonglong(&to_, one.natural))
        : put(static_cast<std::int64_t>(one.natural));
    ei_x_encode_double(&to_, one.real);
    ei_x_encode_boolean(&to_, one.yes ? 1 : 0);
    put(one.binary);
    put(one.atom);
    put_list(one.list);
    ei_x_encode_map_header(&to_, static_cast<long>(one.map.size()));
    for (const auto& [key, value] : one.map) {
      put(key);
      put(value);
    }
    ei_x_encode_tuple_header(&to_, 2);
    put(one.pair.first);
    ei_x_encode_double(&to_, one.pair.second);
    one.optional ? put(*one.optional) : put(otpp::atom("undefined"));
    put_list(one.charlist.text); // Erlang itself would write a STRING, which otpp reads as well
  }

 private:
  // Erlang and otpp write what has 32 bits in four bytes, ei only what has 28.
  void put(std::int64_t number) {
    if (number == static_cast<std::int32_t>(number) && (number < 0 || number > 255)) {
      std::array<char, 5> bytes{ERL_INTEGER_EXT};
      for (std::size_t n = 1; n != bytes.size(); ++n) {
        bytes[n] = static_cast<char>(number >> (8 * (4 - n)) & 0xFF);
      }
      ei_x_append_buf(&to_, bytes.data(), bytes.size());
    } else {
      ei_x_encode_longlong(&to_, number);
    }
  }
  void put(const otpp::atom& one) {
    ei_x_encode_atom_len_as(
        &to_, one.text().data(), static_cast<int>(one.text().size()), ERLANG_UTF8, ERLANG_UTF8);
  }
  template <class List>
  void put_list(const List& all) {
    if (!all.empty()) {
      ei_x_encode_list_header(&to_, static_cast<long>(all.size()));
    }
    for (auto each : all) {
      put(static_cast<std::int64_t>(each));
    }
    ei_x_encode_empty_list(&to_);
  }
  void put(const std::string& bytes) {
    ei_x_encode_binary(&to_, bytes.data(), static_cast<int>(bytes.size()));
  }

  ei_x_buff to_{};
};

// Reads what otpp has written. ei says nothing of a length, so that all of it must be right.
class ei_reader {
 public:
  explicit ei_reader(const std::string& bytes) : bytes_(bytes) {
    int version = 0;
    check(ei_decode_version(bytes_.data(), &at_, &version) == 0, "ei finds no version");
  }

  bool is_at_end() const { return static_cast<std::size_t>(at_) == bytes_.size(); }

  row next() {
    row made;
    check(tuple() == 12 && atom() == otpp::atom("row"), "ei finds another tuple");
    made.integer = integer();
    EI_ULONGLONG natural = 0;
    check(ei_decode_ulonglong(bytes_.data(), &at_, &natural) == 0, "ei finds no natural number");
    made.natural = natural;
    made.real = real();
    int yes = 0;
    check(ei_decode_boolean(bytes_.data(), &at_, &yes) == 0, "ei finds no boolean");
    made.yes = yes != 0;
    made.binary = binary();
    made.atom = atom();
    take_list([&](std::int64_t each) { made.list.push_back(each); });
    int pairs = 0;
    check(ei_decode_map_header(bytes_.data(), &at_, &pairs) == 0, "ei finds no map");
    for (; pairs != 0; --pairs) {
      std::string key = binary();
      made.map[key] = integer();
    }
    check(tuple() == 2, "ei finds no pair");
    made.pair.first = atom();
    made.pair.second = real();
    int type = 0;
    int size = 0;
    check(ei_get_type(bytes_.data(), &at_, &type, &size) == 0, "ei finds no type");
    if (type == ERL_BINARY_EXT) {
      made.optional = binary();
    } else {
      check(atom() == otpp::atom("undefined"), "ei finds another atom");
    }
    take_list([&](std::int64_t each) { made.charlist.text.push_back(static_cast<char>(each)); });
    return made;
  }

 private:
  int tuple() {
    int arity = 0;
    check(ei_decode_tuple_header(bytes_.data(), &at_, &arity) == 0, "ei finds no tuple");
    return arity;
  }
  template <class Take>
  void take_list(Take take) {
    int left = 0;
    do { // as often as it says, and its tail
      check(ei_decode_list_header(bytes_.data(), &at_, &left) == 0, "ei finds no list");
      for (int n = left; n != 0; --n) {
        take(integer());
      }
    } while (left != 0);
  }
  std::int64_t integer() {
    EI_LONGLONG number = 0;
    check(ei_decode_longlong(bytes_.data(), &at_, &number) == 0, "ei finds no integer");
    return number;
  }
  double real() {
    double number = 0;
    check(ei_decode_double(bytes_.data(), &at_, &number) == 0, "ei finds no float");
    return number;
  }
  otpp::atom atom() {
    std::array<char, MAXATOMLEN_UTF8> text{};
    check(
        ei_decode_atom_as(bytes_.data(), &at_, text.data(), MAXATOMLEN_UTF8, ERLANG_UTF8, nullptr, nullptr) ==
            0,
        "ei finds no atom");
    return otpp::atom(text.data());
  }
  std::string binary() {
    int type = 0;
    int size = 0;
    check(
        ei_get_type(bytes_.data(), &at_, &type, &size) == 0 && type == ERL_BINARY_EXT, "ei finds no binary");
    std::string made(static_cast<std::size_t>(size), ' ');
    long length = 0;
    check(ei_decode_binary(bytes_.data(), &at_, made.data(), &length) == 0, "ei finds no binary");
    return made;
  }

  const std::string& bytes_;
  int at_ = 0;
};

// ---- ----

void compare(const row& one) {
  std::string ours = otpp::to_bytes(one);
  ei_writer theirs;
  theirs.put(one);
  auto mine = std::mismatch(ours.begin(), ours.end(), theirs.bytes().begin(), theirs.bytes().end()).first;
  if (ours != theirs.bytes()) {
    throw std::runtime_error(
        "ei encodes to other bytes, from " + std::to_string(mine - ours.begin()) + " of " +
        std::to_string(ours.size()) + " and " + std::to_string(theirs.bytes().size()));
  }
  ei_reader reading(ours);
  check(reading.next() == one && reading.is_at_end(), "ei decodes another value");
  row back;
  check(otpp::from_bytes(theirs.bytes(), back) && back == one, "otpp decodes another value");
}

// Returns true if the bytes are still a term.
bool mutate(std::string bytes, dice& roll) {
  for (std::size_t n = 1 + roll.below(3); n != 0; --n) {
    bytes[1 + roll.below(bytes.size() - 1)] = static_cast<char>(roll.below(256));
  }
  otpp::term any;
  if (!otpp::from_bytes(bytes, any)) {
    return false;
  }
  check(any.bytes() == std::string_view(bytes).substr(1), "otpp gives back other bytes");
  int at = 1;
  check(ei_skip_term(bytes.data(), &at) == 0, "ei refuses a term");
  check(static_cast<std::size_t>(at) == bytes.size(), "for ei the term has another length");
  return true;
}

} // namespace

int main(int argc, char** argv) {
  std::uint64_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
  ei_init();
  random_values values(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  std::uint64_t terms = 0;
  row last;
  try {
    for (std::uint64_t n = 0; n != rounds; ++n) {
      last = values.next();
      compare(last);
      terms += mutate(otpp::to_bytes(last), values.roll()) ? 1U : 0U;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << ": " << otpp::term::of(last).view().text(10'000) << std::endl;
    return EXIT_FAILURE;
  }
  std::cout << rounds << " values agree with ei, and " << terms << " changed terms" << std::endl;
  return terms == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
