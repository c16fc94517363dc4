// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_ties.hpp>

#include <otpp/gen_server/start.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/run.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <string>

using otpp::detail::peer_tie;
using otpp::detail::peer_ties;
using otpp::detail::reason_form;
using otpp::detail::ref_key;
using otpp::detail::tied_process;

namespace {
namespace tying {

struct idle {
  static int init() { return 0; }
};

peer_tie monitor_of(std::uint64_t number) { return {"monitor " + std::to_string(number), ref_key(number)}; }

} // namespace tying
} // namespace

TEST_CASE("peer_ties: each monitor is kept once, and taken once", "[dist]") {
  run([]() -> asio::awaitable<void> {
    otpp::pid one = co_await otpp::start<tying::idle>();
    otpp::pid two = co_await otpp::start<tying::idle>();
    peer_ties ties;
    bool is_new = false;
    std::shared_ptr<tied_process> of_one = ties.process(one, is_new);
    CHECK(is_new);
    CHECK(of_one->who == one);
    CHECK(ties.process(one, is_new) == of_one);
    CHECK_FALSE(is_new);
    std::shared_ptr<tied_process> of_two = ties.process(two, is_new);
    CHECK(is_new);
    CHECK(ties.size() == 0);

    ties.add(*of_one, tying::monitor_of(1));
    ties.add(*of_one, tying::monitor_of(2));
    ties.add(*of_two, tying::monitor_of(3));
    ties.add(*of_two, tying::monitor_of(1)); // a reference that is taken
    CHECK(ties.size() == 3);
    peer_tie found;
    CHECK_FALSE(ties.take(ref_key(std::uint64_t(4)), found));
    CHECK(ties.take(ref_key(std::uint64_t(1)), found));
    CHECK(found.bytes == "monitor 1");
    CHECK_FALSE(ties.take(ref_key(std::uint64_t(1)), found));
    CHECK(ties.size() == 2);

    std::list<peer_tie> ended = ties.take_all(one.id());
    REQUIRE(ended.size() == 1);
    CHECK(ended.front().bytes == "monitor 2");
    CHECK(ties.size() == 1);
    CHECK(ties.take_all(one.id()).empty());
    CHECK_FALSE(ties.take(ref_key(std::uint64_t(2)), found));
    CHECK(ties.process(one, is_new) != of_one);
    CHECK(is_new);
    co_await one.stop();
    co_await two.stop();
  });
}

TEST_CASE("peer_ties: all are forgotten at the end of the connection, each process once", "[dist]") {
  run([]() -> asio::awaitable<void> {
    otpp::pid one = co_await otpp::start<tying::idle>();
    otpp::pid two = co_await otpp::start<tying::idle>();
    peer_ties ties;
    bool is_new = false;
    for (std::uint64_t number = 1; number != 11; ++number) {
      const otpp::pid& who = number % 2 == 0 ? one : two;
      ties.add(*ties.process(who, is_new), tying::monitor_of(number));
    }
    std::multiset<std::uint64_t> visited;
    ties.clear([&](tied_process& with) {
      visited.insert(with.who.id());
      CHECK(with.ties.size() == 5);
    });
    CHECK(visited == std::multiset<std::uint64_t>{one.id(), two.id()});
    CHECK(ties.size() == 0);
    peer_tie found;
    CHECK_FALSE(ties.take(ref_key(std::uint64_t(1)), found));
    CHECK(ties.take_all(one.id()).empty());
    co_await one.stop();
    co_await two.stop();
  });
}

TEST_CASE("peer_ties: the end of a monitor, in both forms", "[dist]") {
  peer_tie one;
  one.bytes = "<name, pid, ref>";
  otpp::detail::term_writer to;
  one.begin_end(to, reason_form::in_tuple);
  CHECK(to.take() == bytes_of(131, 68, 0, 104, 5, 97, 21, "<name, pid, ref>"));
  otpp::detail::term_writer payload;
  one.begin_end(payload, reason_form::as_payload);
  CHECK(payload.take() == bytes_of(131, 68, 0, 104, 4, 97, 28, "<name, pid, ref>"));
}
