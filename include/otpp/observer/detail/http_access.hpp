// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/ascii.hpp>
#include <otpp/observer/detail/http_head.hpp>
#include <otpp/observer/detail/http_percent.hpp>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Why a request is refused.
struct http_refusal {
  unsigned status = 0; // 0: it is not
  std::string_view why;
};

// Takes as long for all texts of one length: how long it takes says nothing of the secret.
inline bool is_same_secret(std::string_view given, std::string_view secret) noexcept {
  volatile unsigned differs = given.size() != secret.size() || secret.empty();
  for (std::size_t i = 0; i != given.size(); ++i) {
    char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    differs = differs | static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ expected));
  }
  return differs == 0;
}

inline bool is_same_in_any_case(std::string_view text, std::string_view in_lower_case) noexcept {
  if (text.size() != in_lower_case.size()) {
    return false;
  }
  for (std::size_t i = 0; i != text.size(); ++i) {
    if (lower_ascii(text[i]) != in_lower_case[i]) {
      return false;
    }
  }
  return true;
}

inline std::string_view without_blanks(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Who may ask. Without a token: a client that names the loopback interface as its host, so that a page from elsewhere
// whose host name was made to lead here (DNS rebinding) gets nothing. With a token: whoever has it.
class http_access {
 public:
  // `address` is that on which it listens, as a host is written.
  http_access(unsigned port, std::string token, std::string address = {})
      : port_(std::to_string(port)), token_(std::move(token)), address_(std::move(address)) {}

  bool wants_token() const noexcept { return !token_.empty(); }

  // @param in_query  The value of `?token=`, or null.
  http_refusal check(const http_head& head, const std::string* in_query) const {
    const std::string* host = head.find("host");
    if (!wants_token() && !(host && is_own(without_blanks(*host)))) {
      return {403, "this host name is not allowed: use 127.0.0.1 or localhost, with the port"};
    }
    const std::string* site = head.find("sec-fetch-site");
    if (site && is_same_in_any_case(without_blanks(*site), "cross-site")) {
      return {403, "pages of other sites may not read this"};
    }
    if (wants_token() && !has_token(head, in_query)) {
      return {401, "a token is wanted: Authorization: Bearer <token>, or ?token=<token>"};
    }
    return {};
  }

 private:
  bool is_own(std::string_view host) const noexcept {
    for (std::string_view name :
         std::initializer_list<std::string_view>{"127.0.0.1", "localhost", "[::1]", address_}) {
      if (name.empty() || !is_same_in_any_case(host.substr(0, name.size()), name)) {
        continue;
      }
      std::string_view rest = host.substr(name.size());
      // Clients leave out the port that is HTTP's own.
      if (rest.empty() ? port_ == "80" : rest.front() == ':' && rest.substr(1) == port_) {
        return true;
      }
    }
    return false;
  }

  bool has_token(const http_head& head, const std::string* in_query) const {
    bool has = in_query && is_same_secret(*in_query, token_);
    for (const auto& [name, value] : head.fields) {
      std::string_view text = without_blanks(value);
      if (name == "authorization") {
        constexpr std::string_view scheme = "bearer ";
        if (is_same_in_any_case(text.substr(0, scheme.size()), scheme)) {
          has |= is_same_secret(without_blanks(text.substr(scheme.size())), token_);
        }
      } else if (name == "cookie") {
        has |= is_in_cookies(text);
      }
    }
    return has;
  }

  // A host has one set of cookies for all its ports. So that programs do not take each other's place, the name ends with the
  // port that the page was loaded from, `otpp_token_4040`; behind a proxy that is not the port of this.
  static bool is_ours(std::string_view name) noexcept {
    constexpr std::string_view plain = "otpp_token";
    if (!name.starts_with(plain)) {
      return false;
    }
    name.remove_prefix(plain.size());
    return name.empty() || (name.front() == '_' && name.find_first_not_of("0123456789", 1) == name.npos);
  }

  // Scripts encode what they put into a cookie.
  bool is_in_cookies(std::string_view text) const {
    bool is_in = false;
    while (!text.empty()) {
      std::size_t end = text.find(';');
      std::string_view one = without_blanks(text.substr(0, end));
      const std::size_t equals = one.find('=');
      if (equals != std::string_view::npos && is_ours(one.substr(0, equals))) {
        std::string decoded;
        bool is_valid = decode_percent(one.substr(equals + 1), plus_sign::stays, decoded);
        is_in |= is_valid && is_same_secret(decoded, token_);
      }
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return is_in;
  }

  std::string port_;
  std::string token_;
  std::string address_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
