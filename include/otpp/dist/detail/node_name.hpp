// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The name of a node, alive@host, as Erlang allows it: letters, digits, _ and - before the @; behind it any characters from ! to
// U+00FF, of which we refuse those that control a terminal; at most 255 in all.
struct node_name {
  static constexpr std::size_t longest = 255;

  std::string_view alive;
  std::string_view host;

  // Whether the host is of the kind that `erl -name` takes: with its domain, or an IP address. Nodes with short names and nodes
  // with long ones do not connect to each other.
  bool is_long() const noexcept { return host.find_first_of(".:") != std::string_view::npos; }

  static constexpr bool is_in_alive(char each) noexcept {
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || (each >= '0' && each <= '9') ||
           each == '_' || each == '-';
  }

  static bool is_host(std::string_view text) noexcept {
    while (!text.empty()) {
      std::size_t length = utf8_length(text);
      char32_t point = length == 0 ? 0 : code_point(text.substr(0, length));
      if (point <= ' ' || (point >= 0x7F && point < 0xA0) || point > 0xFF || point == '@') {
        return false;
      }
      text.remove_prefix(length);
    }
    return true;
  }
};

// Splits the name of a node, of which `parts` are parts then. Returns an empty text, or what is wrong with it: "has no @host".
inline std::string_view split_node_name(std::string_view name, node_name& parts) noexcept {
  std::size_t at = name.find('@');
  parts.alive = name.substr(0, at);
  parts.host = at == std::string_view::npos ? std::string_view() : name.substr(at + 1);
  if (at == std::string_view::npos) {
    return "has no @host";
  }
  if (parts.alive.empty()) {
    return "has nothing before its @";
  }
  if (parts.host.empty()) {
    return "has no host behind its @";
  }
  if (!std::all_of(parts.alive.begin(), parts.alive.end(), node_name::is_in_alive)) {
    return "has other characters than letters, digits, _ and - before its @";
  }
  if (!node_name::is_host(parts.host)) {
    return "has a blank, a second @, or another character behind its @ that no host has";
  }
  return count_characters(name) > node_name::longest ? "has more than 255 characters" : "";
}

// Splits the name of a node of ours. Throws std::invalid_argument if it is none.
inline node_name parse_node_name(std::string_view name) {
  node_name parts;
  std::string_view fault = split_node_name(name, parts);
  if (!fault.empty()) {
    throw std::invalid_argument(
        "otpp: '" + std::string(name.substr(0, utf8_cut(name, node_name::longest))) + "' " +
        std::string(fault) + ", so that it is no name of a node; write it as name@host");
  }
  return parts;
}

// Returns what to say if one has a short name and the other a long one, after which they cannot connect; else an empty text.
inline std::string_view short_against_long(std::string_view one, std::string_view other) noexcept {
  node_name first;
  node_name second;
  bool are_names = split_node_name(one, first).empty() && split_node_name(other, second).empty();
  return are_names && first.is_long() != second.is_long()
             ? ". One name is short and the other is long: let both programs have the same kind of name "
               "(erl -sname or erl -name)"
             : "";
}

} // namespace otpp::detail

#pragma GCC visibility pop
