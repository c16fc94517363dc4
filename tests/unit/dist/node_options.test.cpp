// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/node_options.hpp>

#include "support/catch.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using otpp::dist::node_options;

namespace {
namespace choices {

using endpoint = asio::ip::tcp::endpoint;

endpoint loopback(std::uint16_t port) { return {asio::ip::address_v4::loopback(), port}; }

// The port of epmd, as the environment has it.
class epmd_port {
 public:
  explicit epmd_port(const char* text) {
    if (const char* before = std::getenv("ERL_EPMD_PORT")) {
      before_ = before;
    }
    text ? ::setenv("ERL_EPMD_PORT", text, 1) : ::unsetenv("ERL_EPMD_PORT");
  }
  epmd_port(const epmd_port&) = delete;
  epmd_port& operator=(const epmd_port&) = delete;
  ~epmd_port() { before_ ? ::setenv("ERL_EPMD_PORT", before_->c_str(), 1) : ::unsetenv("ERL_EPMD_PORT"); }

 private:
  std::optional<std::string> before_;
};

} // namespace choices
} // namespace

TEST_CASE("node_options: what holds if nothing is said", "[dist]") {
  choices::epmd_port none(nullptr);
  node_options how("a@127.0.0.1");
  CHECK(how.name() == "a@127.0.0.1");
  CHECK_FALSE(how.cookie());
  CHECK_FALSE(how.cookie_file());
  CHECK(how.cookies().empty());
  CHECK(how.listen() == choices::loopback(0));
  CHECK(how.epmd() == choices::loopback(4369));
  CHECK_FALSE(how.resolver());
  CHECK_FALSE(how.allow());
  CHECK(how.tick() == 60s);
  CHECK(how.setup() == 7s);
  CHECK(how.connects_by_use());
  CHECK(how.limits().frame == std::size_t(64) << 20);
  CHECK(how.limits().unsent == std::size_t(64) << 20);
  CHECK(how.limits().open == 262'144);
  CHECK(how.limits().handshakes == 32);
  CHECK_FALSE(how.executor());
}

TEST_CASE("node_options: what is said holds, in any order", "[dist]") {
  asio::io_context context;
  otpp::dist::node_limits limits;
  limits.frame = 1;
  limits.unsent = 2;
  limits.open = 3;
  limits.handshakes = 4;
  node_options how =
      node_options("a@127.0.0.1")
          .cookie("secret")
          .cookie_for("b@127.0.0.1", "for b")
          .cookie_for("c@127.0.0.1", "for c")
          .cookie_for("b@127.0.0.1", "for b again")
          .cookie_file("/a/file")
          .listen(choices::loopback(7000))
          .epmd(choices::loopback(7001))
          .resolver([](std::string) -> asio::awaitable<choices::endpoint> { co_return choices::loopback(1); })
          .tick(4s)
          .setup(250ms)
          .allow([](std::string_view node, const choices::endpoint&) { return node == "b"; })
          .limits(limits)
          .connect(otpp::dist::never)
          .on(context.get_executor());
  CHECK(how.cookie() == "secret");
  CHECK(how.cookies().at("b@127.0.0.1") == "for b again");
  CHECK(how.cookies().size() == 2);
  CHECK(how.cookie_file() == "/a/file");
  CHECK(how.listen() == choices::loopback(7000));
  CHECK(how.epmd() == choices::loopback(7001));
  CHECK(how.resolver());
  CHECK(how.tick() == 4s);
  CHECK(how.setup() == 250ms);
  CHECK_FALSE(how.connects_by_use());
  CHECK(how.allow()("b", {}));
  CHECK_FALSE(how.allow()("c", {}));
  CHECK(how.limits().frame == 1);
  CHECK(how.limits().unsent == 2);
  CHECK(how.limits().open == 3);
  CHECK(how.limits().handshakes == 4);
  CHECK(how.executor() == context.get_executor());

  node_options copy = how;
  copy.no_listen().no_epmd().cookie("another");
  CHECK_FALSE(copy.listen());
  CHECK_FALSE(copy.epmd());
  CHECK(how.cookie() == "secret");
  CHECK(how.listen());
  CHECK_FALSE(node_options("b").no_listen().no_epmd().epmd());
}

TEST_CASE("node_options: times that are too short", "[dist]") {
  node_options how("a@127.0.0.1");
  CHECK_THROWS_AS(how.tick(0s), std::invalid_argument);
  CHECK_THROWS_AS(how.tick(9ms), std::invalid_argument);
  CHECK_THROWS_AS(how.setup(0s), std::invalid_argument);
  CHECK_THROWS_AS(how.setup(-1ns), std::invalid_argument);
  CHECK_THROWS_AS(node_options("b").tick(0s), std::invalid_argument);
  CHECK_THROWS_AS(node_options("b").setup(0s), std::invalid_argument);
  CHECK(how.tick() == 60s); // as before
  CHECK(how.setup() == 7s);
  try {
    how.tick(0s);
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()) == "otpp: node_options: tick is at least 10 ms");
  }
  how.tick(10ms).setup(std::chrono::hours(24 * 365 * 300)); // more than the library's clock holds
  CHECK(how.tick() == 10ms);
  CHECK(how.setup() > std::chrono::hours(24 * 365));
}

TEST_CASE("node_options: the environment says where epmd is", "[dist]") {
  for (const char* text : {"5000", "", "x", "70000", "-1"}) {
    choices::epmd_port said(text);
    CAPTURE(text);
    CHECK(node_options("a").epmd() == choices::loopback(text == std::string("5000") ? 5000 : 4369));
  }
  choices::epmd_port said("5000");
  CHECK(node_options("a").epmd(choices::loopback(1)).epmd() == choices::loopback(1));
}
