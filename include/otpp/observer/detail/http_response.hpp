// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a handler answers. The head's other fields are the same for all.
struct http_response {
  unsigned status = 200;
  std::string_view type = "application/json";
  std::string body;
  // For text/html: the scripts and styles that may stand in the page, as a Content-Security-Policy names them: hashes,
  // if they are known.
  std::string_view inline_sources = "'unsafe-inline'";
  std::string_view policy; // if set, the whole Content-Security-Policy
};

inline std::string_view http_reason(unsigned status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "";
  }
}

// A sentence as the JSON of an error. Where it is not plain ASCII, it is replaced by question marks.
inline http_response http_error(unsigned status, std::string_view sentence) {
  http_response response;
  response.status = status;
  response.body = "{\"error\": \"";
  for (char c : sentence) {
    if (c == '"' || c == '\\') {
      response.body += '\\';
    }
    response.body += c >= 0x20 && c < 0x7f ? c : '?';
  }
  response.body += "\"}\n";
  return response;
}

// What all heads have: nothing is kept, nothing is read from elsewhere or by a page from elsewhere.
inline void append_common_fields(
    std::string& head, std::string_view inline_sources, std::string_view policy = {}) {
  head += "Content-Security-Policy: ";
  if (!policy.empty()) {
    head.append(policy);
  } else {
    head += "default-src 'none'; ";
    if (!inline_sources.empty()) {
      head.append("script-src ").append(inline_sources).append("; style-src ").append(inline_sources);
      head += "; connect-src 'self'; img-src data:; ";
    }
    head += "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  }
  head +=
      "\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "Cache-Control: no-store\r\n"
      "Referrer-Policy: no-referrer\r\n"
      "Cross-Origin-Resource-Policy: same-origin\r\n"
      "\r\n";
}

// The head of a response, after which the connection is closed.
inline std::string http_head_of(const http_response& response) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  head.append(http_reason(response.status)).append("\r\nContent-Type: ").append(response.type);
  head.append("\r\nContent-Length: ").append(std::to_string(response.body.size()));
  head += "\r\nConnection: close\r\n";
  if (response.status == 401) {
    head += "WWW-Authenticate: Bearer\r\n";
  } else if (response.status == 405) {
    head += "Allow: GET\r\n";
  } else if (response.status == 503) {
    head += "Retry-After: 5\r\n";
  }
  append_common_fields(
      head, response.type.starts_with("text/html") ? response.inline_sources : "", response.policy);
  return head;
}

// The head of a stream of events, and how long a client is to wait (in milliseconds) before it comes again.
inline std::string http_stream_head() {
  std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  append_common_fields(head, "");
  head += "retry: 2000\n\n";
  return head;
}

// One event. Text of several lines stays one.
inline std::string http_event(std::string_view name, std::string_view text) {
  std::string event = "event: ";
  event.append(name).append("\ndata: ");
  for (;;) {
    std::size_t end = text.find_first_of("\r\n");
    event.append(text.substr(0, end));
    if (end == std::string_view::npos) {
      break;
    }
    event += "\ndata: ";
    text.remove_prefix(end + 1);
  }
  event += "\n\n";
  return event;
}

} // namespace otpp::detail

#pragma GCC visibility pop
