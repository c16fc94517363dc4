// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/remote_process.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/request/multi_call.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/timer.hpp>

#include "support/agents.hpp"
#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace far_pids {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

struct unknown { // to the program, as nothing lists it
  int n;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("unknown");
};
struct headline { // is known by node_options::knows
  std::string text;
  static constexpr auto term = otpp::as::tagged("headline");
};

} // namespace far_pids
} // namespace

TEST_CASE("remote_process: a pid that comes back is equal, and says where it is", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    otpp::pid mine = s.a;
    agent::echo ours{mine};
    otpp::pid back = co_await otpp::call(s.far_b, ours);
    CHECK(back == mine);
    REQUIRE(back.as<agent>());

    otpp::pid again = co_await otpp::call<agent::self>(s.nodes.a.remote("agent", far_pids::b));
    CHECK(again == s.far_b);
    CHECK(again.id() == s.far_b.id());
    CHECK(std::hash<otpp::pid>()(again) == std::hash<otpp::pid>()(s.far_b));
    agent::echo theirs{s.far_b};
    back = co_await otpp::call(s.far_b, theirs);
    CHECK(back == s.far_b);
    CHECK(s.far_b != otpp::pid(s.b)); // what stands for it is another process
    CHECK_FALSE(s.far_b.as<agent>());
    CHECK_FALSE(s.far_b.has_ended());

    CHECK(s.nodes.a.node_of(s.far_b) == far_pids::b);
    CHECK(s.nodes.b.node_of(s.far_a) == far_pids::a);
    CHECK(s.nodes.a.node_of(mine) == far_pids::a);
    CHECK(s.nodes.a.node_of(otpp::pid()).empty());
    CHECK(otpp::dist::node().node_of(mine).empty());
  });
}

TEST_CASE("remote_process: nobody, and one that has ended, are nobody", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    agent::echo nobody{};
    otpp::pid back = co_await otpp::call(s.far_b, nobody);
    CHECK_FALSE(back);
    otpp::server_ref<agent> brief = co_await otpp::start<agent>(std::make_shared<agent::seen>());
    agent::echo one{brief};
    back = co_await otpp::call(s.far_b, one);
    CHECK(back == otpp::pid(brief));
    co_await brief.stop();
    back = co_await otpp::call(s.far_b, one);
    CHECK_FALSE(back);
  });
}

TEST_CASE("remote_process: a pid of one that has ended is not sent as another", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    otpp::server_ref<agent> brief = co_await otpp::start<agent>(std::make_shared<agent::seen>());
    otpp::pid far = co_await s.known_at_a(brief);
    co_await brief.stop();
    co_await far.join();
    CHECK(s.nodes.a.node_of(far) != far_pids::a); // it never was here
    agent::hold which{far};
    co_await otpp::call(s.far_b, which);
    CHECK((!s.seen_b->held || s.seen_b->held == otpp::pid(brief)));
  });
}

TEST_CASE("remote_process: calls, casts and messages by a pid", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await otpp::cast<agent::bump>(s.far_b, 1);
    co_await otpp::send<agent::bump>(s.far_b, 2);
    CHECK(otpp::try_cast<agent::bump>(s.far_b, 3));
    CHECK(otpp::try_send<agent::bump>(s.far_b, 4));
    int all = co_await otpp::call<agent::get>(s.far_b);
    CHECK(all == 1 + 200 + 3 + 400);
    all = co_await otpp::call_for<agent::get>(s.far_b, 30s);
    CHECK(all == 604);

    auto request = otpp::send_request<agent::get>(s.far_b);
    all = co_await request.wait();
    CHECK(all == 604);
    std::vector<otpp::pid> both{s.far_b, s.a};
    auto answers = co_await otpp::multi_call<agent::get>(both, 30s);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].value() == 604);
    CHECK(answers[1].value() == 0);

    event next = s.seen_b->changed;
    otpp::send_after<agent::bump>(1ms, s.far_b, 1);
    co_await next.wait();
    CHECK(s.seen_b->count == 704);
  });
}

TEST_CASE("remote_process: a message that the program does not know is refused at once", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    CHECK(otpp::to_string(otpp::term::of(far_pids::unknown{1})) == "{unknown,1}"); // it has a form
    std::error_code code = co_await code_of(otpp::call<far_pids::unknown>(s.far_b, 1));
    CHECK(code == otpp::errc::bad_message);
    code = co_await code_of(otpp::cast<far_pids::unknown>(s.far_b, 1));
    CHECK(code == otpp::errc::bad_message);
    CHECK_FALSE(otpp::try_send<far_pids::unknown>(s.far_b, 1));
    CHECK(s.nodes.b.statistics().unknown == 0);
  });
}

TEST_CASE("remote_process: a coroutine receives what is known, and else terms", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    s.nodes.table.options("x@127.0.0.1").knows<far_pids::headline>();
    std::string text;
    std::string other;
    auto body = [&]() -> asio::awaitable<void> {
      far_pids::headline first = co_await otpp::receive<far_pids::headline>();
      text = first.text;
      otpp::term second = co_await otpp::receive<otpp::term>();
      other = otpp::to_string(second);
    };
    otpp::pid reader = co_await otpp::spawn(body);
    otpp::pid far = co_await s.known_at_a(reader);
    REQUIRE(far);
    co_await otpp::send<otpp::term>(far, otpp::term::of(std::pair(otpp::atom("what"), 5)));
    co_await otpp::send<far_pids::headline>(far, "news");
    co_await reader.join();
    CHECK(text == "news");
    CHECK(other == "{what,5}");
    otpp::exit_reason why = co_await far.join();
    CHECK(why == otpp::exit_reason::normal());
  });
}

TEST_CASE("remote_process: a process ends during a call, and the caller gets its reason", "[dist]") {
  for (std::string how : {"normal", "shutdown", "disk_full", "boom"}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      INFO(how);
      pending<int> other; // of another caller, at the same time
      otpp::call<agent::keep>(s.far_b, other.token());
      otpp::error ended = co_await error_of(otpp::call<agent::end>(s.far_b, how));
      CHECK(ended.code() == otpp::errc::exited);
      std::string text = text_of(ended.reason());
      CHECK(
          text == (how == "disk_full" ? "{disk_full,7}"
                   : how == "boom"    ? "{exception,<<\"boom\">>}"
                                      : how));
      std::error_code code = co_await other.code();
      CHECK(code == otpp::errc::exited);
      CHECK(other.times() == 1);

      co_await until_later([&] { return s.far_b.has_ended(); });
      code = co_await code_of(otpp::call<agent::get>(s.far_b));
      CHECK(code == otpp::errc::no_process);
      CHECK_FALSE(otpp::try_cast<agent::bump>(s.far_b, 1));
    });
  }
}

TEST_CASE("remote_process: a call by a pid times out, and its late answer is dropped", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    std::error_code code = co_await code_of(otpp::call_for<agent::keep>(s.far_b, 20ms));
    CHECK(code == otpp::errc::timeout);
    co_await s.settle();
    REQUIRE(s.seen_b->kept.size() == 1);
    s.seen_b->kept[0].reply(7);
    co_await s.settle();
    int none = co_await otpp::call<agent::get>(s.far_b);
    CHECK(none == 0);
    CHECK(s.nodes.a.statistics().unknown == 0);
  });
}

TEST_CASE("remote_process: many casts and then a call come in order", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    constexpr int many = 10'000;
    for (int n = 1; n <= many; ++n) {
      co_await otpp::cast<agent::note>(s.far_b, n);
    }
    co_await otpp::call<agent::get>(s.far_b);
    CHECK(s.seen_b->notes == many);
    CHECK(s.seen_b->in_order);
  });
}

TEST_CASE("remote_process: a disconnect ends each open call once, and the pid works again", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    for (int round = 0; round != 4; ++round) {
      s.seen_b->kept.clear();
      std::vector<pending<int>> calls(10);
      for (pending<int>& each : calls) {
        each = pending<int>();
        otpp::call_for<agent::keep>(s.far_b, 60s, each.token());
      }
      while (s.seen_b->kept.size() != calls.size()) {
        event next = s.seen_b->changed;
        co_await next.wait();
      }
      (round % 2 == 0 ? s.nodes.a : s.nodes.b).disconnect(round % 2 == 0 ? far_pids::b : far_pids::a);
      for (pending<int>& each : calls) {
        std::error_code code = co_await each.code();
        CHECK(code == otpp::errc::no_connection);
      }
      co_await until_later([&] { return s.nodes.a.peers().empty() && s.nodes.b.peers().empty(); });
      CHECK_FALSE(s.seen_b->kept[0].is_waiting());
      CHECK_FALSE(s.far_b.has_ended());
      int none = co_await otpp::call<agent::get>(s.far_b);
      CHECK(none == 0);
      otpp::pid again = co_await otpp::call<agent::self>(s.nodes.a.remote("agent", far_pids::b));
      CHECK(again == s.far_b);
      for (pending<int>& each : calls) {
        CHECK(each.times() == 1);
      }
    }
  });
}

TEST_CASE("remote_process: of a node that was closed, and of its successor", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    pending<int> call;
    otpp::call_for<agent::keep>(s.far_b, 60s, call.token());
    co_await s.settle();
    co_await s.nodes.b.close();
    std::error_code code = co_await call.code();
    CHECK(code == otpp::errc::no_connection);
    code = co_await code_of(otpp::call<agent::get>(s.far_b));
    CHECK(code == otpp::errc::no_connection); // nobody listens there

    otpp::dist::node next = co_await s.nodes.table.open(far_pids::b);
    next.publish(s.b, "agent");
    otpp::pid fresh = co_await otpp::call<agent::self>(s.nodes.a.remote("agent", far_pids::b));
    CHECK(fresh != s.far_b); // the same process here, but nobody's pid there
    int none = co_await otpp::call<agent::get>(fresh);
    CHECK(none == 0);
    code = co_await code_of(otpp::call_for<agent::get>(s.far_b, 60s));
    CHECK(code == otpp::errc::no_process);
    co_await next.close();
  });
}

TEST_CASE("remote_process: is joined and stopped", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    pending<otpp::exit_reason> joined;
    s.far_b.join(joined.token());
    co_await s.settle();
    CHECK_FALSE(joined.is_done());
    co_await s.far_b.stop();
    CHECK(s.b.has_ended());
    CHECK(s.far_b.has_ended());
    otpp::exit_reason why = co_await joined.get();
    CHECK(why == otpp::exit_reason::normal());
    std::error_code code = co_await code_of(s.far_b.stop());
    CHECK(code == otpp::errc::no_process);
  });
  for (std::string how : {"shutdown", "disk_full"}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      pending<otpp::exit_reason> joined;
      s.far_b.join(joined.token());
      std::exception_ptr failed = co_await failure_of(s.far_b.stop(reason_called(how)));
      CHECK(text_of(failed) == "");
      otpp::exit_reason there = co_await s.b.join();
      CHECK(text_of(there) == (how == "shutdown" ? "shutdown" : "{disk_full,7}"));
      otpp::exit_reason here = co_await joined.get();
      CHECK(text_of(here) == text_of(there));
    });
  }
}

TEST_CASE("remote_process: leaves nothing behind wherever its context ends", "[dist]") {
  crash_log crashes;
  connection_log log;
  auto body = [](bool& is_over) -> asio::awaitable<void> {
    two_nodes nodes = co_await open_two_nodes();
    auto one = co_await otpp::start<agent>(std::make_shared<agent::seen>());
    auto other = co_await otpp::start<agent>(std::make_shared<agent::seen>());
    nodes.a.publish(one, "agent");
    nodes.b.publish(other, "agent");
    otpp::pid far = co_await otpp::call<agent::self>(nodes.a.remote("agent", far_pids::b));
    otpp::pid peer = nodes.a.peer(far_pids::b);
    agent::watch watch{far};
    co_await otpp::call(one, watch);
    agent::tie tie{far};
    co_await otpp::call(one, tie);
    agent::trap trap{true};
    co_await otpp::call(one, trap);
    pending<int> kept;
    otpp::call_for<agent::keep>(far, 60s, kept.token());
    agent::echo echo{peer};
    co_await otpp::call(far, echo);
    agent::untie untie{far};
    co_await otpp::call(one, untie);
    otpp::exit(far, reason_called("shutdown"));
    co_await far.join();
    co_await one.stop();
    co_await close_two_nodes(nodes);
    is_over = true;
  };
  std::size_t steps = 0;
  for (bool is_over = false; !is_over; steps += steps < 100 ? 1 : 5) { // how many there are differs: sockets
    asio::io_context context;
    asio::co_spawn(context, body(is_over), [](std::exception_ptr) {});
    for (std::size_t step = 0; step != steps && !context.stopped(); ++step) {
      context.run_one();
    }
    REQUIRE(steps < 20'000);
  }
  CHECK(steps > 20);
}
