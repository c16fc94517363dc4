// SPDX-License-Identifier: BSL-1.0

// RESP2, the protocol of Redis, as a server needs it: a parser for commands, and functions that
// write replies. It knows nothing of sockets, so that it can be tested without any.

#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace resp {

/// The peer does not speak RESP. Nothing after it can be understood.
struct protocol_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a peer may ask us to keep in memory, and no more.
struct limits {
  std::size_t command = 64 * 1024 * 1024; ///< Bytes in one command, its words included.
  std::size_t words = 1024 * 1024;        ///< Words in one command.
  std::size_t line = 64 * 1024;           ///< Bytes in an inline command.
};

/// Reads a whole text as a decimal number, written as we would write it: no "+1", no "007".
inline std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  auto result = std::from_chars(text.data(), end, number);
  bool is_plain = text == "0" || !(text.starts_with('0') || text.starts_with("-0"));
  if (result.ec != std::errc() || result.ptr != end || !is_plain) {
    return std::nullopt;
  }
  return number;
}

/// Takes bytes as they come from a socket, and gives commands, each a list of words.
///
/// A command may come in any number of pieces. Words that are complete are never looked at again,
/// so that a long command in small pieces costs no more than in one.
class parser {
 public:
  explicit parser(const limits& most = {}) : most_(most) {}

  /// Returns where the next bytes are to be put. The words that next() gave are gone.
  std::span<char> prepare() {
    if (begin_ == end_) {
      begin_ = at_ = end_ = 0;
      if (buffer_.size() > kept) { // one big command must not cost its memory forever
        std::vector<char>().swap(buffer_);
        std::vector<slice>().swap(slices_);
      }
    }
    if (buffer_.size() - end_ < least && begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      at_ -= begin_;
      end_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < least) {
      buffer_.resize(std::max(4 * least, 2 * buffer_.size()));
    }
    return std::span<char>(buffer_).subspan(end_);
  }

  /// Says how many bytes were put there.
  void commit(std::size_t bytes) { end_ += bytes; }

  /// Gets the next command, if all of it is there. Its words are views, good until prepare().
  ///
  /// Throws protocol_error; then the parser is of no use any more.
  bool next(std::vector<std::string_view>& words) {
    while (true) {
      if (missing_ > 0) {
        if (!take_word()) {
          return false;
        }
        if (--missing_ == 0) {
          words.clear();
          for (const slice& word : slices_) {
            words.emplace_back(buffer_.data() + begin_ + word.offset, word.size);
          }
          return true;
        }
        continue;
      }
      begin_ = at_;
      if (at_ == end_) {
        return false;
      }
      bool is_array = buffer_[at_] == '*';
      if (is_array ? !take_count() : !take_inline(words)) {
        return false;
      }
      if (!is_array && !words.empty()) { // an empty line is no command
        return true;
      }
    }
  }

 private:
  static constexpr std::size_t least = 4 * 1024; // what we want to be able to read at once
  static constexpr std::size_t kept = 1024 * 1024;

  struct slice {
    std::size_t offset; // from begin_, because the buffer moves
    std::size_t size;
  };

  // "*2\r\n"
  bool take_count() {
    auto header = take_line("too big mbulk count string");
    if (!header) {
      return false;
    }
    auto count = to_integer(header->substr(1));
    if (!count || *count > static_cast<std::int64_t>(most_.words)) {
      throw protocol_error("invalid multibulk length");
    }
    missing_ = *count > 0 ? static_cast<std::size_t>(*count) : 0;
    slices_.clear();
    return true;
  }

  // "$3\r\nfoo\r\n"
  bool take_word() {
    if (!word_size_) {
      auto header = take_line("too big bulk count string");
      if (!header) {
        return false;
      }
      if (!header->starts_with('$')) {
        std::string got(header->substr(0, 1));
        throw protocol_error("expected '$', got '" + (got.empty() ? " " : got) + "'");
      }
      auto size = to_integer(header->substr(1));
      if (!size || *size < 0 || at_ - begin_ + static_cast<std::size_t>(*size) > most_.command) {
        throw protocol_error("invalid bulk length");
      }
      word_size_ = static_cast<std::size_t>(*size);
    }
    if (end_ - at_ < *word_size_ + 2) {
      return false;
    }
    if (std::memcmp(buffer_.data() + at_ + *word_size_, "\r\n", 2) != 0) {
      throw protocol_error("expected CRLF after a bulk string");
    }
    slices_.push_back({at_ - begin_, *word_size_});
    at_ += *word_size_ + 2;
    word_size_.reset();
    return true;
  }

  // What a person types into telnet: words with spaces between them.
  bool take_inline(std::vector<std::string_view>& words) {
    auto line = take_line("too big inline request");
    if (!line) {
      return false;
    }
    words.clear();
    while (true) {
      line->remove_prefix(std::min(line->find_first_not_of(" \t"), line->size()));
      if (line->empty()) {
        return true;
      }
      std::size_t size = std::min(line->find_first_of(" \t"), line->size());
      words.push_back(line->substr(0, size));
      line->remove_prefix(size);
    }
  }

  // A line without its end, which is "\n" or "\r\n".
  std::optional<std::string_view> take_line(const char* too_big) {
    std::string_view rest(buffer_.data() + at_, end_ - at_);
    std::size_t size = rest.substr(0, most_.line).find('\n');
    if (size == std::string_view::npos) {
      if (rest.size() >= most_.line) {
        throw protocol_error(too_big);
      }
      return std::nullopt;
    }
    at_ += size + 1;
    rest = rest.substr(0, size);
    if (rest.ends_with('\r')) {
      rest.remove_suffix(1);
    }
    return rest;
  }

  limits most_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;                // of the command that is being read
  std::size_t at_ = 0;                   // what has been understood ends here
  std::size_t end_ = 0;                  // what has been read ends here
  std::size_t missing_ = 0;              // words that the command still lacks
  std::optional<std::size_t> word_size_; // of the word whose header has been read
  std::vector<slice> slices_;
};

// ---- replies ----

inline void write_line(std::string& out, char type, std::string_view text) {
  out.push_back(type);
  out.append(text);
  out.append("\r\n");
}

inline void write_number(std::string& out, char type, std::int64_t number) {
  char digits[24];
  auto result = std::to_chars(digits, digits + sizeof(digits), number);
  write_line(out, type, std::string_view(digits, static_cast<std::size_t>(result.ptr - digits)));
}

inline void write_status(std::string& out, std::string_view text) { write_line(out, '+', text); }
inline void write_integer(std::string& out, std::int64_t number) { write_number(out, ':', number); }
inline void write_nil(std::string& out) { out.append("$-1\r\n"); }

/// Writes the header of an array; its elements follow, each a reply.
inline void write_array(std::string& out, std::size_t size) {
  write_number(out, '*', static_cast<std::int64_t>(size));
}

inline void write_bulk(std::string& out, std::string_view text) {
  write_number(out, '$', static_cast<std::int64_t>(text.size()));
  out.append(text);
  out.append("\r\n");
}

/// Writes an error, "ERR what happened". It may quote the peer, and so must not end a line early.
inline void write_error(std::string& out, std::string_view text) {
  std::size_t begin = out.size();
  write_line(out, '-', text);
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end() - 2,
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

} // namespace resp
