// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/pid_term.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/self.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/run.hpp"

#include <asio/awaitable.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

using otpp::pid;
using otpp::detail::node_core;
using otpp::detail::pid_view;
using otpp::detail::term_reader;
using otpp::detail::term_writer;

namespace {
namespace pids {

struct idle {
  static int init() { return 0; }
};

std::shared_ptr<node_core> core() {
  auto made = std::make_shared<node_core>(otpp::dist::node_options("a@host"));
  made->name = "a@host";
  made->creation = 77;
  return made;
}

std::string written(node_core* node, const pid& one) {
  term_writer to;
  to.reader = node;
  otpp::detail::put_term(to, one);
  return to.take();
}

bool reads(node_core* node, std::string_view bytes, pid& one) {
  term_reader from(bytes);
  from.writer = node;
  return otpp::detail::get_term(from, one) && from.left().empty();
}

std::string bytes_of_view(const pid_view& one) {
  term_writer to;
  otpp::detail::put_pid(to, one);
  return to.take();
}

struct who {
  using reply_type = pid;
  static constexpr auto term = otpp::as::tagged("who");
};
struct is_you {
  pid one;
  using reply_type = bool;
  static constexpr auto term = otpp::as::tagged("is_you");
};
struct self_server {
  using messages = otpp::message_list<who, is_you>;
  static int init() { return 0; }
  static pid handle_call(who, int&) { return otpp::self(); }
  static bool handle_call(const is_you& asked, int&) { return asked.one == otpp::self(); }
};

} // namespace pids
} // namespace

TEST_CASE("pid_term: a process of ours goes out with our name, and comes back", "[dist]") {
  run([]() -> asio::awaitable<void> {
    auto node = pids::core();
    pid one = co_await otpp::start<pids::idle>();
    std::string bytes = pids::written(node.get(), one);
    pid_view seen;
    term_reader from(bytes);
    REQUIRE(otpp::detail::get_pid(from, seen));
    CHECK(seen.node == "a@host");
    CHECK(seen.creation == 77);
    CHECK((std::uint64_t(seen.serial) << 32 | seen.id) == one.id());

    pid back;
    CHECK(pids::reads(node.get(), bytes, back));
    CHECK(back == one);
    CHECK(node->exports().find(one.id()).who == one); // others can reach it from then on
    co_await one.stop();
    CHECK(pids::reads(node.get(), bytes, back));
    CHECK_FALSE(back); // it has ended
  });
}

TEST_CASE("pid_term: a process that was not given out, and one of a predecessor, are nobody", "[dist]") {
  run([]() -> asio::awaitable<void> {
    auto node = pids::core();
    pid one = co_await otpp::start<pids::idle>();
    pid found = one;
    CHECK(pids::reads(node.get(), pids::bytes_of_view(node->identity_of(one.id())), found));
    CHECK_FALSE(found);
    pids::written(node.get(), one);
    pid_view earlier = node->identity_of(one.id());
    earlier.creation = 76;
    found = one;
    CHECK(pids::reads(node.get(), pids::bytes_of_view(earlier), found));
    CHECK_FALSE(found);
    co_await one.stop();
  });
}

TEST_CASE("pid_term: nobody is undefined", "[dist]") {
  auto node = pids::core();
  CHECK(pids::written(node.get(), pid()) == bytes_of(119, 9, "undefined"));
  CHECK(pids::written(nullptr, pid()) == bytes_of(119, 9, "undefined"));
  pid found;
  CHECK(pids::reads(node.get(), bytes_of(119, 9, "undefined"), found));
  CHECK_FALSE(found);
  CHECK_FALSE(pids::reads(node.get(), bytes_of(119, 3, "nil"), found));
  CHECK_FALSE(pids::reads(node.get(), bytes_of(97, 1), found));
  CHECK_FALSE(pids::reads(node.get(), "", found));
}

TEST_CASE("pid_term: only what a node sends or reads has pids", "[dist]") {
  run([]() -> asio::awaitable<void> {
    pid one = co_await otpp::start<pids::idle>();
    CHECK_THROWS_AS(otpp::to_bytes(one), std::invalid_argument);
    auto node = pids::core();
    std::string bytes = pids::written(node.get(), one);
    pid found;
    CHECK_FALSE(pids::reads(nullptr, bytes, found));
    CHECK_FALSE(pids::reads(node.get(), std::string_view(bytes).substr(0, bytes.size() - 1), found));
    co_await one.stop();
  });
}

TEST_CASE("pid_term: a process goes to another node and back, and is the same", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto server = co_await otpp::start<pids::self_server>();
    nodes.b.publish(server, "self");
    auto to = nodes.a.remote("self", "b@127.0.0.1");
    pid far = co_await otpp::call<pids::who>(to);
    CHECK(far);
    CHECK(nodes.a.node_of(far) == "b@127.0.0.1");
    pid same = co_await otpp::call<pids::who>(to);
    CHECK(same == far);
    bool is_it = co_await otpp::call<pids::is_you>(to, far);
    CHECK(is_it);
    bool is_another = co_await otpp::call<pids::is_you>(to, pid());
    CHECK_FALSE(is_another);
  });
}
