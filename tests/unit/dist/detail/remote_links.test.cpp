// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/remote_links.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/spawn.hpp>

#include "support/agents.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {
namespace far_links {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

asio::awaitable<void> tie(otpp::server_ref<agent> one, otpp::pid other) {
  agent::tie whom{std::move(other)};
  co_await otpp::call(one, whom);
}
asio::awaitable<void> untie(otpp::server_ref<agent> one, otpp::pid other) {
  agent::untie whom{std::move(other)};
  co_await otpp::call(one, whom);
}
asio::awaitable<void> trap(otpp::server_ref<agent> one) {
  agent::trap on{true};
  co_await otpp::call(one, on);
}
asio::awaitable<void> hit(otpp::server_ref<agent> one, otpp::pid other, std::string how) {
  agent::hit whom{std::move(other), std::move(how)};
  co_await otpp::call(one, whom);
}

// The agents are linked, and both sides know it.
asio::awaitable<void> tie_both(two_agents& s) {
  co_await tie(s.a, s.far_b);
  co_await s.settle();
}

// All that one node has sent the other before has come: by names, as agents may have ended.
asio::awaitable<void> settle_nodes(two_agents& s) {
  for (int n = 0; n != 2; ++n) {
    co_await code_of(otpp::call<agent::get>(s.nodes.a.remote("agent", b)));
    co_await code_of(otpp::call<agent::get>(s.nodes.b.remote("agent", a)));
    co_await some_steps();
  }
}

asio::awaitable<void> wait_until_parted(two_agents& s) {
  co_await until_later([&] { return s.nodes.a.peers().empty() && s.nodes.b.peers().empty(); });
}

} // namespace far_links
} // namespace

TEST_CASE("remote_links: a connection waits for what has not moved to it", "[dist]") {
  otpp::detail::remote_links links;
  auto next = std::make_shared<int>(0);
  links.keep_until_moved(7, next);
  links.has_moved_to(6);
  CHECK(next.use_count() == 2);
  links.has_moved_to(7);
  CHECK(next.use_count() == 1);
  links.has_moved_to(8); // by a message of its own, before it is told
  links.keep_until_moved(8, next);
  CHECK(next.use_count() == 1);
}

TEST_CASE("remote_links: a process elsewhere ends, and those that are linked end with its reason", "[dist]") {
  for (std::string how : {"shutdown", "disk_full", "boom", "kill"}) {
    for (bool is_first : {true, false}) { // the one that has linked ends, or the other
      with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
        INFO(how << (is_first ? " of the first" : " of the second"));
        co_await far_links::tie_both(s);
        CHECK_FALSE(s.a.has_ended());
        CHECK_FALSE(s.b.has_ended());
        otpp::server_ref<agent> ending = is_first ? s.a : s.b;
        otpp::server_ref<agent> other = is_first ? s.b : s.a;
        if (how == "kill") {
          otpp::kill(ending);
        } else {
          co_await ending.stop(reason_called(how));
        }
        otpp::exit_reason why = co_await other.join();
        CHECK(
            text_of(why) == (how == "kill"        ? "killed"
                             : how == "disk_full" ? "{disk_full,7}"
                             : how == "boom"      ? "{exception,<<\"boom\">>}"
                                                  : how));
      });
    }
  }
}

TEST_CASE("remote_links: one that ends normally takes nobody along", "[dist]") {
  for (bool is_first : {true, false}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      co_await far_links::tie_both(s);
      co_await (is_first ? s.a : s.b).stop();
      co_await far_links::settle_nodes(s);
      CHECK_FALSE((is_first ? s.b : s.a).has_ended());
    });
  }
}

TEST_CASE("remote_links: who traps exits is told, once", "[dist]") {
  struct how {
    const char* reason;
    const char* text;
  };
  for (how each :
       {how{"normal", "exit: normal"}, how{"shutdown", "exit: shutdown"},
        how{"disk_full", "exit: {disk_full,7}"}, how{"kill", "exit: killed"}}) {
    for (bool is_first : {true, false}) {
      with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
        INFO(each.reason << (is_first ? " of the first" : " of the second"));
        co_await far_links::trap(is_first ? s.b : s.a);
        co_await far_links::tie_both(s);
        otpp::server_ref<agent> ending = is_first ? s.a : s.b;
        auto seen = is_first ? s.seen_b : s.seen_a;
        if (std::string(each.reason) == "kill") {
          otpp::kill(ending);
        } else {
          co_await ending.stop(reason_called(each.reason));
        }
        std::string text = co_await s.told(seen, 1);
        CHECK(text == each.text);
        CHECK(seen->told[0].who == (is_first ? s.far_a : s.far_b));
        co_await far_links::settle_nodes(s);
        CHECK(seen->told.size() == 1);
        CHECK_FALSE((is_first ? s.b : s.a).has_ended());
      });
    }
  }
}

TEST_CASE("remote_links: who was unlinked is not told", "[dist]") {
  for (bool unlinks_first : {true, false}) { // the one that has linked, or the other
    for (bool ends_first : {true, false}) {
      with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
        co_await far_links::trap(s.a);
        co_await far_links::trap(s.b);
        co_await far_links::tie_both(s);
        co_await far_links::untie(unlinks_first ? s.a : s.b, unlinks_first ? s.far_b : s.far_a);
        co_await s.settle();
        co_await (ends_first ? s.a : s.b).stop(reason_called("disk_full"));
        co_await far_links::settle_nodes(s);
        CHECK(s.seen_a->told.empty());
        CHECK(s.seen_b->told.empty());
        CHECK_FALSE((ends_first ? s.b : s.a).has_ended());
      });
    }
  }
}

TEST_CASE("remote_links: links that are made and cut in a hurry", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_links::trap(s.a);
    co_await far_links::trap(s.b);
    for (int round = 0; round != 100; ++round) {
      co_await far_links::tie(s.a, s.far_b);
      if (round % 3 == 0) {
        co_await far_links::tie(s.b, s.far_a); // at the same time
      }
      co_await far_links::untie(s.a, s.far_b);
      if (round % 2 == 0) {
        co_await far_links::tie(s.a, s.far_b);
        co_await far_links::untie(s.b, s.far_a);
      }
    }
    co_await s.settle();
    // However it went, the last word is one link, which both know.
    co_await far_links::untie(s.a, s.far_b);
    co_await s.settle();
    co_await far_links::untie(s.b, s.far_a);
    co_await s.settle();
    CHECK(s.seen_a->told.empty());
    CHECK(s.seen_b->told.empty());
    co_await far_links::tie(s.a, s.far_b);
    co_await s.settle();
    co_await s.b.stop();
    std::string text = co_await s.told(s.seen_a, 1);
    CHECK(text == "exit: normal");
    co_await far_links::settle_nodes(s);
    CHECK(s.seen_a->told.size() == 1);
  });
}

TEST_CASE("remote_links: both link at once, and it is one link", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_links::trap(s.a);
    co_await far_links::trap(s.b);
    co_await far_links::tie(s.a, s.far_b);
    co_await far_links::tie(s.b, s.far_a);
    co_await far_links::tie(s.a, s.far_b); // it is linked
    co_await s.settle();
    co_await s.b.stop(reason_called("shutdown"));
    std::string text = co_await s.told(s.seen_a, 1);
    CHECK(text == "exit: shutdown");
    co_await far_links::settle_nodes(s);
    CHECK(s.seen_a->told.size() == 1);
    CHECK(s.seen_b->told.empty());
  });
}

TEST_CASE("remote_links: who links one that has ended is told at once", "[dist]") {
  for (bool traps : {true, false}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      otpp::server_ref<agent> brief = co_await otpp::start<agent>(std::make_shared<agent::seen>());
      otpp::pid far = co_await s.known_at_a(brief);
      co_await brief.stop();
      if (!traps) {
        co_await far_links::tie(s.a, far);
        otpp::exit_reason why = co_await s.a.join();
        CHECK(text_of(why) != "normal");
        CHECK(text_of(why) == "no process");
        co_return;
      }
      co_await far_links::trap(s.a);
      co_await far_links::tie(s.a, far);
      std::string text = co_await s.told(s.seen_a, 1);
      CHECK(text == "exit: no process");
      CHECK(s.seen_a->told[0].who == far);
      co_await far_links::settle_nodes(s);
      CHECK(s.seen_a->told.size() == 1);
    });
  }
}

TEST_CASE("remote_links: an exit signal to a process elsewhere", "[dist]") {
  for (bool traps : {true, false}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      if (traps) {
        co_await far_links::trap(s.b);
      }
      co_await far_links::hit(s.a, s.far_b, "normal");
      co_await s.settle();
      CHECK_FALSE(s.b.has_ended());
      CHECK(s.seen_b->told.size() == (traps ? 1 : 0));
      co_await far_links::hit(s.a, s.far_b, "disk_full");
      if (traps) {
        std::string text = co_await s.told(s.seen_b, 2);
        CHECK(s.seen_b->told[0].text == "exit: normal");
        CHECK(text == "exit: {disk_full,7}");
        CHECK(s.seen_b->told[0].who == s.far_a);
        CHECK(s.seen_b->told[1].who == s.far_a);
        co_await far_links::hit(s.a, s.far_b, "kill");
      }
      otpp::exit_reason why = co_await s.b.join();
      CHECK(text_of(why) == (traps ? "killed" : "{disk_full,7}"));
      CHECK_FALSE(s.a.has_ended());
    });
  }
}

TEST_CASE("remote_links: signals keep their place among messages", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_links::trap(s.b);
    for (int n = 1; n <= 100; ++n) {
      otpp::try_cast<agent::note>(s.far_b, n);
    }
    otpp::exit(s.far_b, reason_called("shutdown"));
    std::string text = co_await s.told(s.seen_b, 1);
    CHECK(text == "exit: shutdown");
    CHECK(s.seen_b->notes == 100);
    otpp::try_cast<agent::bump>(s.far_b, 5);
    otpp::kill(s.far_b);
    otpp::exit_reason why = co_await s.b.join();
    CHECK(text_of(why) == "killed");
  });
}

TEST_CASE("remote_links: a connection is lost, and both sides of a link are told once", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_links::trap(s.a);
    co_await far_links::trap(s.b);
    for (int round = 0; round != 4; ++round) {
      INFO(round);
      s.seen_a->told.clear();
      s.seen_b->told.clear();
      if (round % 2 == 0) {
        co_await far_links::tie(s.a, s.far_b);
      } else {
        co_await far_links::tie(s.b, s.far_a);
      }
      co_await far_links::settle_nodes(s);
      CHECK(s.seen_a->told.empty());
      CHECK(s.seen_b->told.empty());
      (round < 2 ? s.nodes.a : s.nodes.b).disconnect(round < 2 ? far_links::b : far_links::a);
      co_await far_links::wait_until_parted(s);
      co_await some_steps();
      CHECK(s.seen_a->told.size() == 1);
      CHECK(s.seen_b->told.size() == 1);
      for (const auto& told : {s.seen_a->told, s.seen_b->told}) {
        if (!told.empty()) {
          CHECK(told[0].text == "exit: no connection");
        }
      }
      co_await s.settle(); // connected again
      CHECK(s.seen_a->told.size() == 1);
      CHECK(s.seen_b->told.size() == 1);
    }
    // Nothing is left of those links.
    s.seen_a->told.clear();
    co_await s.b.stop();
    co_await far_links::settle_nodes(s);
    CHECK(s.seen_a->told.empty());
  });
}

TEST_CASE("remote_links: a node is closed, and those that are linked with its processes end", "[dist]") {
  for (bool is_first : {true, false}) { // the node of the one that has linked
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      co_await far_links::tie_both(s);
      co_await (is_first ? s.nodes.a : s.nodes.b).close();
      otpp::exit_reason other = co_await (is_first ? s.b : s.a).join();
      CHECK(text_of(other) == "no connection");
      co_await s.a.join();
      co_await s.b.join();
    });
  }
}

TEST_CASE("remote_links: without a way to it, a link is told of that", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_links::trap(s.a);
    co_await s.nodes.b.close();
    co_await far_links::tie(s.a, s.far_b);
    std::string text = co_await s.told(s.seen_a, 1);
    CHECK(text == "exit: no connection");
    CHECK(s.seen_a->told[0].who == s.far_b);
    co_await some_steps();
    CHECK(s.seen_a->told.size() == 1);
  });
}

TEST_CASE("remote_links: a coroutine links one elsewhere", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    bool is_told = false;
    otpp::pid from;
    auto body = [&]() -> asio::awaitable<void> {
      otpp::trap_exit();
      otpp::link(s.far_b);
      otpp::exit_signal signal = co_await otpp::receive<otpp::exit_signal>();
      from = signal.from;
      is_told = text_of(signal.reason) == "{disk_full,7}";
    };
    otpp::pid linked = co_await otpp::spawn(body);
    co_await s.settle();
    co_await s.b.stop(reason_called("disk_full"));
    co_await linked.join();
    CHECK(is_told);
    CHECK(from == s.far_b);
  });
}
