// SPDX-License-Identifier: BSL-1.0

#include "url.hpp"

#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

namespace top {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_host_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
         c == '_' || c == ':';
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

std::string token_of(std::string_view query) {
  while (!query.empty()) {
    std::size_t end = std::min(query.find('&'), query.size());
    std::string_view item = query.substr(0, end);
    if (item.starts_with("token=")) {
      return percent_decode(item.substr(6));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

url_or_problem refuse(std::string problem) {
  return {{}, std::move(problem) + " Write it as http://127.0.0.1:4040, as the program prints it."};
}

} // namespace

std::string url::authority() const {
  return (host.find(':') == std::string::npos ? host : '[' + host + ']') + ':' + port;
}

url_or_problem parse_url(std::string_view text) {
  std::string shown = '"' + clean(text) + '"';
  url result{.host = "127.0.0.1", .port = "4040", .token = {}};
  if (text.starts_with("https:")) {
    return refuse(
        "The observer does not speak https; forward its port instead (ssh -L 4040:127.0.0.1:4040 there).");
  }
  if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else if (text.find("://") != std::string_view::npos) {
    return refuse(shown + " is no http URL.");
  }
  text = text.substr(0, text.find('#'));
  if (std::size_t question = text.find('?'); question != std::string_view::npos) {
    result.token = token_of(text.substr(question + 1));
    text = text.substr(0, question);
  }
  if (std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    if (text.substr(slash) != "/") {
      return refuse("The observer has no folder \"" + clean(text.substr(slash)) + "\".");
    }
    text = text.substr(0, slash);
  }

  std::string_view port;
  bool has_port = false;
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_digit)) {
    port = text;
    text = {};
    has_port = true;
  } else if (std::size_t bracket = text.find(']');
             text.starts_with('[') && bracket != std::string_view::npos) {
    std::string_view rest = text.substr(bracket + 1);
    text = text.substr(1, bracket - 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') {
      return refuse(shown + " is no URL.");
    }
    port = rest.substr(has_port ? 1 : 0);
    if (text.find(':') == std::string_view::npos) {
      return refuse(shown + " has no IPv6 address in its brackets.");
    }
  } else if (std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    port = text.substr(colon + 1);
    text = text.substr(0, colon);
    has_port = true;
  }
  if (has_port) {
    if (!is_port(port)) {
      return refuse('"' + clean(port) + "\" is no port: it must be from 1 to 65535.");
    }
    result.port = port;
  }
  if (!std::all_of(text.begin(), text.end(), is_host_character)) {
    return refuse(shown + " has no host.");
  }
  if (!text.empty()) {
    result.host = text;
  }
  return {std::move(result), {}};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string result;
  for (char c : text) {
    if (is_host_character(c) && c != ':') {
      result += c;
    } else {
      auto byte = static_cast<std::uint8_t>(c);
      result += {'%', digits[byte / 16u], digits[byte % 16u]};
    }
  }
  return result;
}

std::string percent_decode(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    unsigned value = 0;
    if (text[0] == '%' && text.size() >= 3) {
      auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, value, 16);
      if (error == std::errc() && end == text.data() + 3) {
        result += static_cast<char>(static_cast<std::uint8_t>(value));
        text.remove_prefix(3);
        continue;
      }
    }
    result += text[0];
    text.remove_prefix(1);
  }
  return result;
}

} // namespace top
