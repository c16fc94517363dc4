// SPDX-License-Identifier: BSL-1.0

// The one header that knows which parser of HTTP this is.

#pragma once

#if __has_include(<llhttp.h>)
#include <llhttp.h>
#define OTPP_HAS_LLHTTP
#elif __has_include(<http_parser.h>)
#include <http_parser.h>
#else
#error \
    "otpp's observer needs llhttp or http_parser: link the target otpp::observer (Debian: apt-get install libllhttp-dev, or libhttp-parser-dev)"
#endif

#include <otpp/observer/detail/ascii.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What the parser says of a request's head, all as the client sent it.
struct http_head {
  enum class method { get, head, other };

  method verb = method::other;
  unsigned major = 0;
  unsigned minor = 0;
  std::string target;
  std::vector<std::pair<std::string, std::string>> fields; // the names in lower case

  // The value of the first field of this name, or null.
  const std::string* find(std::string_view name) const noexcept {
    for (const auto& [its_name, value] : fields) {
      if (its_name == name) {
        return &value;
      }
    }
    return nullptr;
  }
  std::size_t count(std::string_view name) const noexcept {
    std::size_t number = 0;
    for (const auto& field : fields) {
      number += field.first == name;
    }
    return number;
  }
};

#if defined(OTPP_HAS_LLHTTP)
using raw_http_parser = llhttp_t;
using raw_http_settings = llhttp_settings_t;
#else
using raw_http_parser = http_parser;
using raw_http_settings = http_parser_settings;
#endif

// What the parser's callbacks fill in.
struct http_head_sink {
  http_head head;
  bool is_complete = false;

  static http_head_sink& of(raw_http_parser* parser) noexcept {
    return *static_cast<http_head_sink*>(parser->data);
  }

  // The callbacks are called from C, which an exception must not pass.
  template <class Function>
  static int guarded(Function function) noexcept {
    try {
      function();
      return 0;
    } catch (...) {
      return -1;
    }
  }

  static int on_target(raw_http_parser* parser, const char* data, std::size_t size) noexcept {
    return guarded([&] { of(parser).head.target.append(data, size); });
  }
  // The parser has the head as a whole, so that a name always comes as one piece. A value need not.
  static int on_name(raw_http_parser* parser, const char* data, std::size_t size) noexcept {
    return guarded([&] {
      std::string name(data, size);
      for (char& letter : name) {
        letter = lower_ascii(letter);
      }
      of(parser).head.fields.emplace_back(std::move(name), std::string());
    });
  }
  static int on_value(raw_http_parser* parser, const char* data, std::size_t size) noexcept {
    return guarded([&] {
      http_head& head = of(parser).head;
      if (!head.fields.empty()) {
        head.fields.back().second.append(data, size);
      }
    });
  }
  static int on_complete(raw_http_parser* parser) noexcept {
    http_head_sink& sink = of(parser);
    sink.head.verb = parser->method == HTTP_GET    ? http_head::method::get
                     : parser->method == HTTP_HEAD ? http_head::method::head
                                                   : http_head::method::other;
    sink.head.major = parser->http_major;
    sink.head.minor = parser->http_minor;
    sink.is_complete = true;
    return -1; // ends the parsing here: what follows is not for us
  }
};

// Parses a whole head, its empty line included. Returns false if it is none.
inline bool parse_http_head(std::string_view text, http_head& head) {
  http_head_sink sink;
  raw_http_parser parser;
  raw_http_settings settings;
#if defined(OTPP_HAS_LLHTTP)
  llhttp_settings_init(&settings);
#else
  http_parser_settings_init(&settings);
#endif
  settings.on_url = &http_head_sink::on_target;
  settings.on_header_field = &http_head_sink::on_name;
  settings.on_header_value = &http_head_sink::on_value;
  settings.on_headers_complete = &http_head_sink::on_complete;
#if defined(OTPP_HAS_LLHTTP)
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &sink;
  llhttp_execute(&parser, text.data(), text.size());
#else
  http_parser_init(&parser, HTTP_REQUEST);
  parser.data = &sink;
  http_parser_execute(&parser, &settings, text.data(), text.size());
#endif
  head = std::move(sink.head);
  return sink.is_complete;
}

} // namespace otpp::detail

#pragma GCC visibility pop
