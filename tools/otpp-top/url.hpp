// SPDX-License-Identifier: BSL-1.0

// The address of an observer.

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace top {

struct url {
  std::string host; // without the brackets of an IPv6 address
  std::string port;
  std::string token; // of `?token=`, as the program may print its URL; else empty

  // As it stands in the Host header, and on the screen.
  std::string authority() const;
};

struct url_or_problem {
  std::optional<url> value;
  std::string problem; // a sentence, where there is no value
};

// `http://127.0.0.1:4040/`, or less of it: `127.0.0.1:4040`, `:4040`, `4040`, `localhost`. The port is 4040 where
// none is given.
url_or_problem parse_url(std::string_view text);

// For a value in a query.
std::string percent_encode(std::string_view text);

// Turns %41 into A. What is no escape stays.
std::string percent_decode(std::string_view text);

} // namespace top
