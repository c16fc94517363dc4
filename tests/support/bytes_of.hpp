// SPDX-License-Identifier: BSL-1.0

#pragma once

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
