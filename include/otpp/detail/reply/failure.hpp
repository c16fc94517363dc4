// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/error.hpp>
#include <otpp/failed_call.hpp>

#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Tells that an operation has ended with one of the library's errors, if it has: `code` may be errc(). Only of operations
// that send a message to a server. Without a lock held, because it calls the user's functions.
OTPP_NOINLINE inline void tell_failure(
    errc code, std::string_view operation, std::string_view message, const process* server) noexcept {
  if (code != errc() && server && !message.empty()) {
    topic<failed_call>::tell_if_heard([&] {
      return failed_call{code, operation, message, server->describe(), server->type_name(), server->id()};
    });
  }
}
OTPP_INLINE void tell_failure(
    std::uint8_t code, std::string_view operation, std::string_view message, const process* server) noexcept {
  tell_failure(static_cast<errc>(code), operation, message, server);
}

} // namespace otpp::detail

#pragma GCC visibility pop
