// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <string_view>
#include <typeinfo>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class T>
constexpr std::string_view raw_type_name() noexcept {
  return source_location::current().function_name();
}

// The name of T as the compiler spells it: "kv_store::put". Extracted from a function's name, as GCC ("[with
// T = X; ...]") and clang ("[T = X]") print it; for other compilers the name from typeid.
template <class T>
std::string_view find_type_name() noexcept {
  std::string_view text = raw_type_name<T>();
  std::size_t begin = text.find("T = ");
  if (begin == std::string_view::npos) {
    return typeid(T).name();
  }
  text.remove_prefix(begin + 4);
  std::size_t depth = 0;
  for (std::size_t at = 0; at != text.size(); ++at) {
    char c = text[at];
    if (c == '<' || c == '(' || c == '[') {
      ++depth;
    } else if (depth != 0 && (c == '>' || c == ')' || c == ']')) {
      --depth;
    } else if (depth == 0 && (c == ';' || c == ']')) {
      return text.substr(0, at);
    }
  }
  return text;
}

template <class T>
std::string_view type_name() noexcept {
  static const std::string_view found = find_type_name<T>();
  return found;
}

} // namespace otpp::detail

#pragma GCC visibility pop
