// SPDX-License-Identifier: BSL-1.0

#include "url.hpp"

#include "support/catch.hpp"

#include <string>
#include <string_view>

namespace {

// "host port token", or the problem.
std::string parsed(std::string_view text) {
  top::url_or_problem result = top::parse_url(text);
  return result.value ? result.value->host + ' ' + result.value->port + ' ' + result.value->token
                      : result.problem;
}

} // namespace

TEST_CASE("url: what is left out has a default", "[top]") {
  CHECK(parsed("http://127.0.0.1:4041/") == "127.0.0.1 4041 ");
  CHECK(parsed("http://localhost") == "localhost 4040 ");
  CHECK(parsed("build.example:8080") == "build.example 8080 ");
  CHECK(parsed("4041") == "127.0.0.1 4041 ");
  CHECK(parsed(":4041") == "127.0.0.1 4041 ");
  CHECK(parsed("") == "127.0.0.1 4040 ");
  CHECK(parsed("http://[::1]:4041/") == "::1 4041 ");
  CHECK(parsed("[::1]") == "::1 4040 ");
  CHECK(top::parse_url("[::1]:4041").value->authority() == "[::1]:4041");
}

TEST_CASE("url: a token comes with it", "[top]") {
  CHECK(parsed("http://127.0.0.1:4041/?token=s3cret") == "127.0.0.1 4041 s3cret");
  CHECK(parsed("http://127.0.0.1:4041?sort=id&token=a%2Fb%#top") == "127.0.0.1 4041 a/b%");
}

TEST_CASE("url: what is none gets a sentence", "[top]") {
  CHECK(parsed("ftp://here").starts_with("\"ftp://here\" is no http URL."));
  CHECK(parsed("https://here").find("ssh -L") != std::string::npos);
  CHECK(parsed("http://127.0.0.1:0").starts_with("\"0\" is no port"));
  CHECK(parsed("http://127.0.0.1:").starts_with("\"\" is no port"));
  CHECK(parsed("http://127.0.0.1:4040x").starts_with("\"4040x\" is no port"));
  CHECK(parsed("99999").starts_with("\"99999\" is no port"));
  CHECK(parsed("http://here/top").starts_with("The observer has no folder \"/top\"."));
  CHECK(parsed("http://[here]/").find("no IPv6 address") != std::string::npos);
  CHECK(parsed("http://[::1]x/").find("is no URL") != std::string::npos);
  CHECK(parsed("a b\r\nHost: c").find("has no host") == std::string::npos); // the port is what is wrong
  CHECK(parsed("a b\r\n").starts_with("\"a b\\r\\n\" has no host."));
}

TEST_CASE("url: a query keeps what is in a value", "[top]") {
  CHECK(top::percent_encode("is:stuck a&b=\xc3\xa9") == "is%3Astuck%20a%26b%3D%C3%A9");
  CHECK(top::percent_decode(top::percent_encode("50% + 1/2 \xff")) == "50% + 1/2 \xff");
  CHECK(top::percent_decode("%4") == "%4");
  CHECK(top::percent_decode("%zz%4g") == "%zz%4g");
}
