// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/http_request.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

using otpp::detail::http_access;
using otpp::detail::http_request;
using otpp::detail::http_request_reader;
using otpp::detail::is_same_secret;
using progress = otpp::detail::http_request_reader::progress;

namespace {

const http_access open_access(4040, "");
const http_access token_access(4040, "s3cret");

struct reading {
  unsigned status = 0; // 200: let in; 0: the head is not complete
  http_request request;
};

reading read(std::string_view bytes, const http_access& access = open_access, std::size_t piece = 10000) {
  http_request_reader reader(8192, access);
  reading result;
  progress at = progress::needs_more;
  while (at == progress::needs_more && !bytes.empty()) {
    std::string_view now = bytes.substr(0, piece);
    bytes.remove_prefix(now.size());
    at = reader.feed(now);
  }
  if (at == progress::is_refused) {
    result.status = reader.refusal().status;
    CHECK(!reader.refusal().why.empty());
  } else if (at == progress::is_complete) {
    result.status = 200;
    result.request = reader.take_request();
  }
  return result;
}

std::string get(std::string_view target, std::string_view fields = "") {
  std::string text = "GET ";
  text.append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1:4040\r\n").append(fields).append("\r\n");
  return text;
}

unsigned status_of(std::string_view bytes, const http_access& access = open_access) {
  return read(bytes, access).status;
}

unsigned status_for_host(std::string_view host) {
  return status_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
}

} // namespace

TEST_CASE("http_request: path and query are decoded", "[observer]") {
  reading result = read(get("/api/v1/a%20b+c?sort=name&q=is%3Astuck+x%2By&n&=&&offset=1"));
  REQUIRE(result.status == 200);
  CHECK(result.request.path == "/api/v1/a b+c");
  REQUIRE(result.request.query.size() == 5);
  REQUIRE(result.request.find("q"));
  CHECK(*result.request.find("q") == "is:stuck x+y");
  CHECK(*result.request.find("sort") == "name");
  CHECK(result.request.find("n")->empty());
  CHECK(result.request.find("order") == nullptr);
}

TEST_CASE("http_request: nothing depends on the pieces", "[observer]") {
  for (std::string text :
       {get("/top?n=1"), get("/%00"), get("/", "Content-Length: 1\r\n"), std::string("NONSENSE\r\n\r\n"),
        get("/") + "and more\x01", "GET /" + std::string(9000, 'a')}) {
    reading whole = read(text);
    for (std::size_t piece : {1u, 2u, 3u, 7u, 100u}) {
      reading cut = read(text, open_access, piece);
      CHECK(cut.status == whole.status);
      CHECK(cut.request.path == whole.request.path);
      CHECK(cut.request.query == whole.request.query);
    }
  }
}

TEST_CASE("http_request: half a head is not complete", "[observer]") {
  std::string text = get("/");
  CHECK(status_of(text.substr(0, text.size() - 1)) == 0);
  CHECK(status_of("") == 0);
}

TEST_CASE("http_request: paths that are not valid are refused", "[observer]") {
  for (std::string_view target :
       {"/%", "/%1", "/%zz", "/%00", "/%0a", "/%7F", "/?a=%1f", "/?%=1", "/a#b", "*", "top",
        "http://127.0.0.1:4040/", "/\xc3\xa4"}) {
    CAPTURE(target);
    CHECK(status_of(get(target)) == 400);
  }
  CHECK(read(get("/%c3%a4")).request.path == "/\xc3\xa4");
}

TEST_CASE("http_request: what is no HTTP is refused", "[observer]") {
  for (std::string_view text :
       {"NONSENSE\r\n\r\n", "\x16\x03\x01\x02", "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\r\r", "\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: localhost:4040\r\n\r\n", "GET / HTTP/0.9\r\nHost: localhost:4040\r\n\r\n",
        "GET /\r\nHost: localhost:4040\r\n\r\n", " GET / HTTP/1.1\r\n"}) {
    CAPTURE(text);
    CHECK(status_of(text) == 400);
  }
  CHECK(status_of(get("/", "A\x01: b\r\n")) == 400);
  CHECK(status_of(get("/", "A: b\x01\r\n")) == 400);
  CHECK(status_of(get("/", "A: b\r\n folded\r\n")) == 400);
  CHECK(status_of(get("/", "A : b\r\n")) == 400);
  CHECK(status_of(get("/", "no colon\r\n")) == 400);
  CHECK(status_of(get("/", "A: \xc3\xa4\r\nB:\r\n")) == 200);
}

TEST_CASE("http_request: a head has a limit", "[observer]") {
  std::string fits = get("/", "X: \r\n");
  fits.insert(fits.size() - 4, std::string(8192 - fits.size(), 'a'));
  CHECK(status_of(fits) == 200);
  fits.insert(fits.size() - 4, "a");
  CHECK(status_of(fits) == 431);
  CHECK(status_of("GET /" + std::string(8188, 'a')) == 431);
}

TEST_CASE("http_request: bodies and smuggling are refused", "[observer]") {
  CHECK(status_of(get("/", "Content-Length: 0\r\n")) == 200);
  for (std::string_view fields :
       {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n", "Content-Length: -1\r\n", "Content-Length: \r\n",
        "Content-Length : 5\r\n", "Content-Length: 0, 5\r\n"}) {
    CAPTURE(fields);
    CHECK(status_of(get("/", fields)) == 400);
  }
}

TEST_CASE("http_request: only GET is allowed", "[observer]") {
  for (std::string_view method : {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    CAPTURE(method);
    CHECK(status_of(std::string(method) + " / HTTP/1.1\r\nHost: localhost:4040\r\n\r\n") == 405);
  }
  CHECK(status_of("POST / HTTP/1.1\r\nHost: localhost:4040\r\nContent-Length: 1\r\n\r\nx") == 405);
  CHECK(status_of("POST / HTTP/1.1\r\nHost: evil.example\r\n\r\n") == 403);
  CHECK(status_of("BREW / HTTP/1.1\r\nHost: localhost:4040\r\n\r\n") == 400); // no method to the parser
}

TEST_CASE("http_request: only the loopback interface's names are a Host", "[observer]") {
  for (std::string_view host :
       {"127.0.0.1:4040", "localhost:4040", "LocalHost:4040", "[::1]:4040", "  127.0.0.1:4040 "}) {
    CAPTURE(host);
    CHECK(status_for_host(host) == 200);
  }
  for (std::string_view host :
       {"", "evil.example", "evil.example:4040", "127.0.0.1", "localhost", "localhost:4041",
        "127.0.0.1:40400", "127.0.0.1:4040.evil.example", "localhost.evil.example:4040",
        "127.0.0.1:4040@evil.example", "127.0.0.2:4040", "::1:4040", "localhost:04040"}) {
    CAPTURE(host);
    CHECK(status_for_host(host) == 403);
  }
  http_access usual(80, "");
  CHECK(status_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", usual) == 200);
  CHECK(status_of("GET / HTTP/1.0\r\n\r\n") == 403);
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of(get("/", "Host: 127.0.0.1:4040\r\n")) == 400);
}

TEST_CASE("http_request: pages of other sites are refused", "[observer]") {
  CHECK(status_of(get("/", "Sec-Fetch-Site: cross-site\r\n")) == 403);
  CHECK(status_of(get("/", "sec-fetch-site: Cross-Site \r\n")) == 403);
  for (std::string_view site : {"none", "same-origin", "same-site"}) {
    CHECK(status_of(get("/", "Sec-Fetch-Site: " + std::string(site) + "\r\n")) == 200);
  }
}

TEST_CASE("http_request: a token that is wanted", "[observer]") {
  std::string host = "GET / HTTP/1.1\r\nHost: somewhere.example\r\n";
  CHECK(status_of(host + "\r\n", token_access) == 401);
  for (std::string_view field :
       {"Authorization: Bearer s3cret", "authorization: bearer  s3cret ", "Cookie: otpp_token=s3cret",
        "Cookie: a=b; otpp_token=s3cret; c=d", "Cookie: otpp_token=s3%63ret",
        "Cookie: otpp_token_4041=of another program; otpp_token_4040=s3cret"}) {
    CAPTURE(field);
    CHECK(status_of(host + std::string(field) + "\r\n\r\n", token_access) == 200);
  }
  for (std::string_view field :
       {"Authorization: Bearer s3cre", "Authorization: Bearer s3crets", "Authorization: Bearer ",
        "Authorization: Basic s3cret", "Authorization: s3cret", "Cookie: otpp_token=", "Cookie: otpp_token=%",
        "Cookie: x_otpp_token=s3cret", "Cookie: otpp_token", "Cookie: otpp_token_x=s3cret",
        "X-Token: s3cret"}) {
    CAPTURE(field);
    CHECK(status_of(host + std::string(field) + "\r\n\r\n", token_access) == 401);
  }
  reading result = read(get("/top?token=s3cret&n=1"), token_access);
  CHECK(result.status == 200);
  CHECK(result.request.find("token") == nullptr); // the handler does not need to know
  CHECK(result.request.find("n"));
  CHECK(status_of(get("/?token="), token_access) == 401);
  CHECK(status_of("POST / HTTP/1.1\r\nHost: a\r\n\r\n", token_access) == 401);
  CHECK(
      status_of(host + "Authorization: Bearer s3cret\r\nSec-Fetch-Site: cross-site\r\n\r\n", token_access) ==
      403);
}

TEST_CASE("http_request: secrets are compared as a whole", "[observer]") {
  CHECK(is_same_secret("abc", "abc"));
  CHECK(!is_same_secret("abd", "abc"));
  CHECK(!is_same_secret("ab", "abc"));
  CHECK(!is_same_secret("abcabc", "abc"));
  CHECK(!is_same_secret("", "abc"));
  CHECK(!is_same_secret("", ""));
  CHECK(!is_same_secret(std::string_view("\0", 1), ""));
}

TEST_CASE("http_request: the answer to HEAD has no body", "[observer]") {
  http_request_reader reader(8192, open_access);
  CHECK(reader.feed("HEAD / HTTP/1.1\r\nHost: localhost:4040\r\n\r\n") == progress::is_refused);
  CHECK(!reader.wants_body());
}
