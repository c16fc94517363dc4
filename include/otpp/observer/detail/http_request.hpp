// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/http_access.hpp>
#include <otpp/observer/detail/http_head.hpp>
#include <otpp/observer/detail/http_percent.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A GET request that was let in, decoded. No text has a control character; whether it is UTF-8 is not checked.
struct http_request {
  std::string path; // starts with "/"
  std::vector<std::pair<std::string, std::string>> query;

  // The value of the first parameter of this name, or null.
  const std::string* find(std::string_view name) const noexcept {
    for (const auto& [its_name, value] : query) {
      if (its_name == name) {
        return &value;
      }
    }
    return nullptr;
  }
};

// Reads a path with its query, as it stands in a request's first line. Returns false if it is not valid. Complete
// URLs, which only proxies are sent, are not.
inline bool decode_target(std::string_view target, http_request& request) {
  if (target.empty() || target.front() != '/') {
    return false;
  }
  for (char c : target) {
    if (c <= 0x20 || c >= 0x7f || c == '#') { // where char is signed, bytes from 0x80 on are below 0
      return false;
    }
  }
  std::size_t mark = target.find('?');
  if (!decode_percent(target.substr(0, mark), plus_sign::stays, request.path)) {
    return false;
  }
  std::string_view query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!query.empty()) {
    std::size_t end = query.find('&');
    std::string_view one = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (one.empty()) {
      continue;
    }
    std::size_t equals = one.find('=');
    std::string name;
    std::string value;
    if (!decode_percent(one.substr(0, equals), plus_sign::is_blank, name)) {
      return false;
    }
    if (equals != std::string_view::npos &&
        !decode_percent(one.substr(equals + 1), plus_sign::is_blank, value)) {
      return false;
    }
    request.query.emplace_back(std::move(name), std::move(value));
  }
  return true;
}

// Reads the head of one request, from bytes that may come in any pieces, and decides what becomes of it. The parser sees
// the head when it is there as a whole, so that nothing depends on the pieces; lines end with CR LF and are not
// folded, whatever the parser would accept. What follows the head is ignored.
class http_request_reader {
 public:
  enum class progress { needs_more, is_complete, is_refused };

  // @param limit   The most bytes that a head may have.
  // @param access  Must outlive the reader.
  http_request_reader(std::size_t limit, const http_access& access) noexcept
      : limit_(limit), access_(access) {}

  // May be called while it returns needs_more.
  progress feed(std::string_view bytes) {
    for (char c : bytes) {
      if (text_.size() == limit_) {
        return refuse(431, "the head of the request is too long");
      }
      char before = text_.empty() ? '\n' : text_.back();
      if (!may_follow(c, before)) {
        return refuse(400, "this is not an HTTP request");
      }
      text_ += c;
      if (text_.ends_with("\r\n\r\n")) {
        return decide();
      }
    }
    return progress::needs_more;
  }

  // Where it is complete. To be taken once.
  http_request take_request() noexcept { return std::move(request_); }
  // Where it is refused.
  const http_refusal& refusal() const noexcept { return refusal_; }
  // The answer to HEAD has no body, a refusal neither.
  bool wants_body() const noexcept { return head_.verb != http_head::method::head; }

 private:
  bool may_follow(char c, char before) const noexcept {
    if ((before == '\r') != (c == '\n')) {
      return false;
    }
    if (c == ' ' || c == '\t') {
      return before != '\n'; // else a folded line, or a blank at the start
    }
    return c == '\r' || c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }

  progress refuse(unsigned status, std::string_view why) noexcept {
    refusal_ = {status, why};
    return progress::is_refused;
  }

  progress decide() {
    if (!parse_http_head(text_, head_) || !has_plain_names()) {
      return refuse(400, "this is not an HTTP request");
    }
    if (head_.major != 1 || head_.minor > 1) {
      return refuse(400, "only HTTP/1.0 and HTTP/1.1 are understood");
    }
    std::size_t hosts = head_.count("host");
    if (hosts > 1 || (hosts == 0 && head_.minor == 1)) {
      return refuse(400, "a request has one Host");
    }
    bool is_chunked = head_.count("transfer-encoding") != 0;
    std::size_t lengths = head_.count("content-length");
    if (lengths > 1 || (is_chunked && lengths != 0)) {
      return refuse(400, "the length of the body is said in two ways");
    }
    if (!decode_target(head_.target, request_)) {
      return refuse(400, "the path or the query is not valid");
    }
    http_refusal denied = access_.check(head_, request_.find("token"));
    if (denied.status != 0) {
      return refuse(denied.status, denied.why);
    }
    if (head_.verb != http_head::method::get) {
      return refuse(405, "only GET is allowed");
    }
    if (is_chunked || (lengths == 1 && !is_zero(without_blanks(*head_.find("content-length"))))) {
      return refuse(400, "a request must not have a body");
    }
    std::erase_if(
        request_.query, [](const auto& one) { return one.first == "token"; }); // not for the handler
    return progress::is_complete;
  }

  // http_parser may let a blank into a name, for which others take the field for another one.
  bool has_plain_names() const noexcept {
    for (const auto& field : head_.fields) {
      for (char c : field.first) {
        if (c <= 0x20 || c >= 0x7f) {
          return false;
        }
      }
    }
    return true;
  }

  static bool is_zero(std::string_view number) noexcept {
    return !number.empty() && number.find_first_not_of('0') == std::string_view::npos;
  }

  std::size_t limit_;
  const http_access& access_;
  std::string text_;
  http_head head_;
  http_request request_;
  http_refusal refusal_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
