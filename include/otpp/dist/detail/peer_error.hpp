// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

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

// What an error says, for a report: without what begins every error's text, and the text of its code.
inline std::string_view text_for_report(std::string_view text, const std::error_code& code) {
  constexpr std::string_view head = "otpp: ";
  const std::string tail = ": " + code.message();
  if (text.starts_with(head)) {
    text.remove_prefix(head.size());
  }
  if (text.ends_with(tail)) {
    text.remove_suffix(tail.size());
  }
  return text;
}

// What the library says of an end; nothing where it has another cause, such as the error of a socket.
inline std::optional<std::string> own_text(const exit_reason& why) {
  try {
    if (why.exception()) {
      std::rethrow_exception(why.exception());
    }
  } catch (const otpp::error& own) {
    return std::string(text_for_report(own.what(), own.code()));
  } catch (...) {
  }
  return std::nullopt;
}

// Why a connection has ended: the library's own error says more than what else there is.
inline std::exception_ptr peer_error_of(
    const exit_reason& why, std::string_view peer, std::string_view otherwise) {
  return own_text(why) ? why.exception() : peer_error(peer, otherwise);
}

} // namespace otpp::detail

#pragma GCC visibility pop
