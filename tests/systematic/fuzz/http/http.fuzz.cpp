// SPDX-License-Identifier: BSL-1.0

// What clients send to the observer: any bytes, cut anywhere. Cut or in one piece, the request and the refusal are the
// same; what is let in is a GET by somebody who may ask, has no body, and no control character in its path and query.

#include <otpp/observer/detail/http_request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using otpp::detail::http_access;
using otpp::detail::http_request;
using otpp::detail::http_request_reader;
using progress = otpp::detail::http_request_reader::progress;

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

struct outcome {
  progress at = progress::needs_more;
  unsigned status = 0;
  std::string_view why;
  http_request request;

  bool is_same(const outcome& other) const {
    return at == other.at && status == other.status && why == other.why &&
           request.path == other.request.path && request.query == other.request.query;
  }
};

outcome read(std::string_view bytes, std::size_t piece, std::size_t limit, const http_access& access) {
  http_request_reader reader(limit, access);
  outcome result;
  while (!bytes.empty() && result.at == progress::needs_more) {
    std::string now(bytes.substr(0, piece)); // AddressSanitizer knows where it ends
    bytes.remove_prefix(now.size());
    result.at = reader.feed(now);
  }
  if (result.at == progress::is_refused) {
    result.status = reader.refusal().status;
    result.why = reader.refusal().why;
  } else if (result.at == progress::is_complete) {
    result.request = reader.take_request();
  }
  return result;
}

bool is_plain(std::string_view text) {
  return std::none_of(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return lower;
}

} // namespace

// The first byte: how it is cut, whether a token is wanted, and how long a head may be. The rest: what a client sends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const http_access open_access(4040, "");
  static const http_access token_access(4040, "s3cret");
  if (size == 0) {
    return 0;
  }
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t piece = std::size_t{1} + data[0] % 7;
  const http_access& access = data[0] & 0x80 ? token_access : open_access;
  std::size_t limit = data[0] & 0x40 ? 64 : 8192;

  outcome whole = read(bytes, bytes.size(), limit, access);
  outcome cut = read(bytes, piece, limit, access);
  require(whole.is_same(cut), "it depends on the pieces");

  if (whole.at == progress::is_refused) {
    constexpr unsigned refusals[] = {400, 401, 403, 405, 431};
    require(std::count(std::begin(refusals), std::end(refusals), whole.status) == 1, "an unknown refusal");
    require(is_plain(whole.why) && !whole.why.empty(), "a refusal without a reason");
    require(whole.status != 401 || access.wants_token(), "a token that was not wanted");
  } else if (whole.at == progress::needs_more) {
    require(bytes.size() <= limit && !has(bytes, "\r\n\r\n"), "it waits for more than there may be");
  } else {
    std::string_view head = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
    std::string lower = in_lower_case(head);
    require(head.size() <= limit, "a head that is too long was let in");
    require(head.starts_with("GET ") || head.starts_with("\r\nGET "), "what is no GET was let in");
    require(!has(lower, "\ntransfer-encoding:"), "a request with a body was let in");
    require(whole.request.path.starts_with('/'), "a path from elsewhere");
    require(is_plain(whole.request.path), "a control character in the path");
    for (const auto& [name, value] : whole.request.query) {
      require(is_plain(name) && is_plain(value), "a control character in the query");
      require(name != "token", "the handler sees the token");
    }
    if (access.wants_token()) {
      require(has(lower, "s3cret") || has(lower, "%"), "somebody without the token was let in");
    } else {
      require(has(lower, ":4040"), "somebody who names another host was let in");
    }
  }
  return 0;
}
