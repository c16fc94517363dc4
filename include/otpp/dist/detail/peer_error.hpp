// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/error.hpp>

#include <exception>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Why there is no connection with a node, or none any more.
inline std::exception_ptr peer_error(std::string_view peer, std::string_view why) noexcept {
  try {
    std::string text = "otpp: connection";
    if (!peer.empty()) {
      text += " with " + one_line(peer);
    }
    return std::make_exception_ptr(error(errc::no_connection, text + ": " + std::string(why)));
  } catch (...) {
    return std::current_exception();
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
