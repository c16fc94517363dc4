// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/node_options.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reads a cookie as OTP does: the file's text without the end of its line. Throws std::runtime_error if there is none, or if
// others than its owner can read it.
inline std::string read_cookie(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::file_status status = std::filesystem::status(path, error);
  if (error || status.type() != std::filesystem::file_type::regular) {
    throw std::runtime_error(
        "otpp: no cookie: there is no file " + path.string() +
        "; give the node one by node_options::cookie, or start Erlang once, which makes the file");
  }
  using perms = std::filesystem::perms;
  if ((status.permissions() & (perms::group_all | perms::others_all)) != perms::none) {
    throw std::runtime_error(
        "otpp: the cookie in " + path.string() + " can be read by others than its owner: chmod 400 " +
        path.string());
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  text.erase(text.find_last_not_of(" \r\n") + 1);
  if (text.empty()) {
    throw std::runtime_error("otpp: the cookie file " + path.string() + " is empty, or cannot be read");
  }
  return text;
}

// The cookie that the options say: their own, that of their file, or that of the user's home.
inline std::string cookie_of(const dist::node_options& how) {
  if (how.cookie()) {
    return *how.cookie();
  }
  if (how.cookie_file()) {
    return read_cookie(*how.cookie_file());
  }
  const char* home =
      std::getenv("HOME"); // NOLINT(concurrency-mt-unsafe): who changes it meanwhile harms more
  return read_cookie(std::filesystem::path(home ? home : "/") / ".erlang.cookie");
}

} // namespace otpp::detail

#pragma GCC visibility pop
