// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/node_exports.hpp>

#include <otpp/dist/detail/inbound_to.hpp>
#include <otpp/dist/detail/published_address.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/term.hpp>

#include "support/catch.hpp"
#include "support/run.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using otpp::detail::inbound_of;
using otpp::detail::node_exports;
using otpp::detail::published_address;

namespace {
namespace exporting {

struct get {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("get");
};
struct plain_server {
  using messages = otpp::message_list<get>;
  static int init() { return 0; }
  static int handle_call(get, int& s) { return s; }
};
struct other_server {
  static int init() { return 0; }
};

} // namespace exporting

using exporting::plain_server;

} // namespace

TEST_CASE("node_exports: a name is published once, found and taken back", "[dist]") {
  run([]() -> asio::awaitable<void> {
    node_exports exports;
    auto server = co_await otpp::start<plain_server>();
    CHECK_FALSE(exports.find("counter").who);
    published_address<otpp::server_ref<plain_server>> address(server);
    exports.publish("counter", {address, &inbound_of<plain_server>});
    node_exports::exported found = exports.find("counter");
    CHECK(found.who == otpp::pid(server));
    CHECK(found.how == &inbound_of<plain_server>);
    CHECK_FALSE(exports.find("Counter").who);
    try {
      exports.publish("counter", {address, &inbound_of<plain_server>});
      FAIL("it was published twice");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::name_taken);
      CHECK(std::string(error.what()).find("\"counter\"") != std::string::npos);
    }
    exports.publish("another", {address, &inbound_of<plain_server>}); // one server, two names
    CHECK(exports.unpublish("counter"));
    CHECK_FALSE(exports.unpublish("counter"));
    CHECK_FALSE(exports.find("counter").who);
    CHECK(exports.find("another").who == otpp::pid(server));
    exports.publish("counter", {address, &inbound_of<plain_server>});
    co_await server.stop();
    CHECK_FALSE(exports.find("counter").who); // it has ended
  });
}

TEST_CASE(
    "node_exports: a server_name is looked up each time, and only a server of that class is it", "[dist]") {
  run([]() -> asio::awaitable<void> {
    node_exports exports;
    published_address<otpp::server_name<plain_server>> address(
        otpp::server_name<plain_server>("node_exports"));
    exports.publish("n", {address, &inbound_of<plain_server>});
    CHECK_FALSE(exports.find("n").who);
    auto first = co_await otpp::start<plain_server>(otpp::named("node_exports"));
    CHECK(exports.find("n").who == otpp::pid(first));
    co_await first.stop();
    CHECK_FALSE(exports.find("n").who);
    auto other = co_await otpp::start<exporting::other_server>(otpp::named("node_exports"));
    CHECK_FALSE(exports.find("n").who);
    co_await other.stop();
    auto second = co_await otpp::start<plain_server>(otpp::named("node_exports"));
    CHECK(exports.find("n").who == otpp::pid(second));
    co_await second.stop();
  });
}

TEST_CASE("node_exports: a pid that was given out is found until it ends", "[dist]") {
  run([]() -> asio::awaitable<void> {
    node_exports exports;
    auto early = co_await otpp::start<plain_server>();
    auto other = co_await otpp::start<exporting::other_server>();
    CHECK_FALSE(exports.find(early.id()).who);
    exports.give_out(early);
    exports.give_out(early); // as often as one likes
    exports.give_out(other);
    CHECK(exports.find(early.id()).who == otpp::pid(early));
    CHECK(exports.find(early.id()).how == nullptr); // nothing is known of its class
    CHECK(exports.find(other.id()).how == nullptr);

    auto server = co_await otpp::start<plain_server>();
    published_address<otpp::server_ref<plain_server>> address(server);
    exports.publish("n", {address, &inbound_of<plain_server>});
    exports.give_out(server);
    CHECK(exports.find(server.id()).how == &inbound_of<plain_server>);
    exports.unpublish("n"); // the class is known from then on
    auto later = co_await otpp::start<plain_server>();
    exports.give_out(later);
    CHECK(exports.find(later.id()).how == &inbound_of<plain_server>);

    co_await server.stop();
    CHECK_FALSE(exports.find(server.id()).who);
    CHECK_FALSE(exports.find(std::uint64_t(0)).who);
    co_await early.stop();
    co_await other.stop();
    co_await later.stop();
  });
}

TEST_CASE("node_exports: ended ones do not fill the table, and those that live stay", "[dist]") {
  run([]() -> asio::awaitable<void> {
    node_exports exports;
    std::vector<otpp::server_ref<plain_server>> living;
    for (int n = 0; n != 1000; ++n) {
      auto one = co_await otpp::start<plain_server>();
      exports.give_out(one);
      if (n % 10 == 0) {
        living.push_back(one);
      } else {
        co_await one.stop();
      }
    }
    for (auto& each : living) {
      CHECK(exports.find(each.id()).who == otpp::pid(each));
      co_await each.stop();
    }
  });
}
