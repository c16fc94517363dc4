// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>
#include <otpp/term/atom.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Prints a term as Erlang's `~tp` does, on one line. Precondition: the bytes are one term, as skip() has found.
class term_printer {
 public:
  term_printer(std::string_view bytes, std::size_t most) : from_(bytes), most_(most) {}

  std::string print() {
    one(0);
    if (text_.size() > most_) {
      text_.resize(utf8_cut(text_, most_));
      text_ += "...";
    }
    return std::move(text_);
  }

 private:
  static constexpr std::size_t deepest = 64;

  void one(std::size_t depth) {
    if (text_.size() > most_ || depth == deepest) {
      text_ += text_.size() > most_ ? "" : "..."; // print() says that it is cut
      from_.skip();
      return;
    }
    std::size_t size = 0;
    std::string_view bytes;
    switch (from_.tag()) {
      case term_tag::small_atom_utf8:
      case term_tag::small_atom:
      case term_tag::atom_utf8:
      case term_tag::atom: quoted_atom(); return;
      case term_tag::small_integer:
      case term_tag::integer:
      case term_tag::small_big:
      case term_tag::large_big: number(); return;
      case term_tag::new_float:
      case term_tag::old_float: floating(); return;
      case term_tag::nil:
        from_.is(term_tag::nil);
        text_ += "[]";
        return;
      case term_tag::string:
        from_.is(term_tag::string);
        from_.counted(2, bytes);
        byte_list(bytes);
        return;
      case term_tag::list: list(depth); return;
      case term_tag::small_tuple:
      case term_tag::large_tuple:
        from_.tuple(size);
        text_ += '{';
        for (std::size_t at = 0; at != size; ++at) {
          text_ += at == 0 ? "" : ",";
          one(depth + 1);
        }
        text_ += '}';
        return;
      case term_tag::map:
        from_.map(size);
        text_ += "#{";
        for (std::size_t at = 0; at != size; ++at) {
          text_ += at == 0 ? "" : ",";
          one(depth + 1);
          text_ += " => ";
          one(depth + 1);
        }
        text_ += '}';
        return;
      case term_tag::binary:
        from_.is(term_tag::binary);
        from_.counted(4, bytes);
        binary(bytes, 8);
        return;
      case term_tag::bit_binary: bits(); return;
      case term_tag::new_pid: identity("#Pid<", 8); return;
      case term_tag::v4_port: identity("#Port<", 8); return;
      case term_tag::new_port: identity("#Port<", 4); return;
      case term_tag::newer_reference: identity("#Ref<", 4); return;
      case term_tag::exported: exported(depth); return;
      default: from_.skip(); text_ += "#Fun<>";
    }
  }

  // Without quotes if it begins with a small letter and has only letters, digits, _ and @.
  void quoted_atom() {
    otpp::atom name;
    term_codec<otpp::atom>::get(from_, name);
    const std::string& text = name.text();
    auto is_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '@';
    };
    static constexpr std::array<std::string_view, 28> reserved{
        "after", "and",   "andalso", "band",   "begin",   "bnot", "bor", "bsl", "bsr", "bxor",
        "case",  "catch", "cond",    "div",    "else",    "end",  "fun", "if",  "let", "maybe",
        "not",   "of",    "or",      "orelse", "receive", "rem",  "try", "when"};
    bool is_plain = !text.empty() && text[0] >= 'a' && text[0] <= 'z' &&
                    std::all_of(text.begin(), text.end(), is_word) &&
                    std::find(reserved.begin(), reserved.end(), text) == reserved.end() && text != "xor";
    is_plain ? void(text_ += text) : escaped(text, '\'');
  }

  void escaped(std::string_view text, char quote) {
    text_ += quote;
    for (char each : text) {
      auto byte = static_cast<unsigned char>(each);
      if (each == quote || each == '\\') {
        text_ += '\\';
        text_ += each;
      } else if (each == '\n') {
        text_ += "\\n";
      } else if (each == '\t') {
        text_ += "\\t";
      } else if (each == '\r') {
        text_ += "\\r";
      } else if (byte < 0x20 || byte == 0x7F) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        text_ += "\\x{";
        text_ += digits[byte / 16];
        text_ += digits[byte % 16];
        text_ += '}';
      } else {
        text_ += each;
      }
    }
    text_ += quote;
  }

  // In base 10; above 64 bits in base 16, which takes no division of long numbers.
  void number() {
    std::size_t place = from_.place();
    wide_integer small;
    if (small.read(from_)) {
      text_ += small.is_negative ? "-" : "";
      text_ += std::to_string(small.magnitude);
      return;
    }
    from_.back_to(place);
    std::string_view digits;
    bool is_negative = false;
    read_big(from_, digits, is_negative);
    text_ += is_negative ? "-16#" : "16#";
    for (std::size_t at = digits.size(); at != 0 && text_.size() <= most_; --at) {
      constexpr std::string_view hex = "0123456789ABCDEF";
      auto byte = static_cast<unsigned char>(digits[at - 1]);
      if (at != digits.size() || byte >= 16) {
        text_ += hex[byte / 16];
      }
      text_ += hex[byte % 16];
    }
  }

  void floating() {
    double value = 0;
    term_codec<double>::get(from_, value);
    std::array<char, 40> digits{};
    char* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    std::string text(digits.data(), end);
    std::size_t exponent = text.find('e');
    if (text.find('.') == std::string::npos) {
      text.insert(exponent == std::string::npos ? text.size() : exponent, ".0");
    }
    exponent = text.find('e'); // Erlang writes it without a plus and without zeros in front
    for (std::size_t at = exponent + 1; exponent != std::string::npos && at + 1 != text.size();) {
      if (text[at] == '+' || text[at] == '0') {
        text.erase(at, 1);
      } else if (text[at] == '-') {
        ++at;
      } else {
        break;
      }
    }
    text_ += text;
  }

  static bool is_printable(std::string_view text) {
    return count_characters(text) != std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [](char each) {
             auto byte = static_cast<unsigned char>(each);
             return (byte >= 0x20 && byte != 0x7F) || each == '\n' || each == '\t' || each == '\r';
           });
  }

  void byte_list(std::string_view bytes) {
    bool is_text = std::all_of(bytes.begin(), bytes.end(), [](char c) {
      return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t' || c == '\r';
    });
    if (is_text && !bytes.empty()) {
      escaped(bytes, '"');
      return;
    }
    text_ += '[';
    numbers(bytes);
    text_ += ']';
  }

  void numbers(std::string_view bytes) {
    std::string_view separator;
    for (char each : bytes) {
      if (text_.size() > most_) {
        return;
      }
      text_ += separator;
      text_ += std::to_string(static_cast<unsigned char>(each));
      separator = ",";
    }
  }

  void list(std::size_t depth) {
    std::size_t size = 0;
    from_.is(term_tag::list);
    from_.count(4, 1, size);
    text_ += '[';
    for (std::size_t at = 0; at != size; ++at) {
      text_ += at == 0 ? "" : ",";
      one(depth + 1);
    }
    if (!from_.is(term_tag::nil)) {
      text_ += '|';
      one(depth + 1);
    }
    text_ += ']';
  }

  void binary(std::string_view bytes, unsigned last_bits) {
    text_ += "<<";
    if (last_bits == 8 && is_printable(bytes) && !bytes.empty()) {
      escaped(bytes, '"');
      bool is_ascii = std::all_of(bytes.begin(), bytes.end(), [](char c) { return (c & '\x80') == 0; });
      text_ += is_ascii ? "" : "/utf8";
    } else if (last_bits != 8 && !bytes.empty()) {
      numbers(bytes.substr(0, bytes.size() - 1));
      text_ += bytes.size() == 1 ? "" : ",";
      text_ += std::to_string(static_cast<unsigned char>(bytes.back()) >> (8 - last_bits));
      text_ += ':' + std::to_string(last_bits);
    } else {
      numbers(bytes);
    }
    text_ += ">>";
  }

  void bits() {
    std::uint64_t size = 0;
    std::uint64_t last = 0;
    std::string_view bytes;
    from_.is(term_tag::bit_binary);
    from_.number(4, size);
    from_.number(1, last);
    from_.take(static_cast<std::size_t>(size), bytes);
    binary(bytes, bytes.empty() ? 8 : static_cast<unsigned>(last));
  }

  // `#Pid<name@host.7.0>`: numbers that only the node can use.
  void identity(std::string_view head, std::size_t first) {
    std::uint64_t words = 0;
    std::uint64_t value = 0;
    term_tag kind = from_.tag();
    from_.is(kind);
    if (kind == term_tag::newer_reference) {
      from_.number(2, words);
    }
    otpp::atom node;
    term_codec<otpp::atom>::get(from_, node);
    text_ += head;
    text_ += node.text();
    if (kind == term_tag::newer_reference) {
      from_.number(4, value); // the creation
      for (; words != 0; --words) {
        from_.number(4, value);
        text_ += '.' + std::to_string(value);
      }
    } else if (kind == term_tag::new_pid) {
      for (int i = 0; i != 2; ++i) { // id and serial
        from_.number(4, value);
        text_ += '.' + std::to_string(value);
      }
      from_.number(4, value);
    } else {
      from_.number(first, value);
      text_ += '.' + std::to_string(value);
      from_.number(4, value);
    }
    text_ += '>';
  }

  void exported(std::size_t depth) {
    from_.is(term_tag::exported);
    text_ += "fun ";
    one(depth + 1);
    text_ += ':';
    one(depth + 1);
    text_ += '/';
    one(depth + 1);
  }

  term_reader from_;
  std::size_t most_;
  std::string text_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
