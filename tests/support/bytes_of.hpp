// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

// Bytes as Erlang's `term_to_binary` shows them: bytes_of(131, 104, 2, 119, 3, "add", 97, 5).
template <class... Parts>
std::string bytes_of(const Parts&... parts) {
  std::string all;
  [[maybe_unused]] auto append = [&](const auto& part) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(part)>>) {
      all += static_cast<char>(static_cast<unsigned char>(part));
    } else {
      all += std::string_view(part);
    }
  };
  (append(parts), ...);
  return all;
}

// A fun of the module `m` that has kept one term.
inline std::string bytes_of_fun(const std::string& kept) {
  const std::string inside = bytes_of(
      0, std::string(16, 'x'), std::string(4, '\0'), 0, 0, 0, 1, 119, 1, "m", 97, 0, 98, 1, 2, 3, 4, 88, 119,
      3, "a@b", std::string(12, '\1'), kept);
  const std::size_t size = inside.size() + 4; // with itself
  return bytes_of(112, 0, 0, size >> 8, size & 255, inside);
}
