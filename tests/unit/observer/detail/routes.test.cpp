// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/routes.hpp>

#include <otpp/observer/detail/http_request.hpp>
#include <otpp/observer/detail/model.hpp>
#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using otpp::detail::http_request;
using otpp::detail::http_response;
using otpp::detail::observer_model;
using otpp::detail::observer_moment;
using otpp::detail::observer_routes;

namespace {

struct server {
  struct wait {
    event until;
  };
  struct note {};
  struct fail {
    std::string why;
  };
  int init() { return 0; }
  void handle_cast(note, int& n) { ++n; }
  void handle_cast(const fail& m, int&) { throw std::runtime_error(m.why); }
  asio::awaitable<void> handle_cast(wait m, int&) { co_await m.until.wait(); }
  static std::string format_status(int n) { return std::to_string(n) + " notes"; }
};

// Time passes when a test says so.
observer_moment time_now;
void pass(std::chrono::steady_clock::duration time) {
  time_now.steady += time;
  time_now.unix_time += otpp::detail::in_seconds(time);
}

struct looking {
  observer_model model{[] { return time_now; }};
  observer_routes routes{model};

  looking() { time_now = {std::chrono::steady_clock::now(), 1764275000}; }

  static http_request request_of(std::string_view target) {
    http_request request;
    REQUIRE(otpp::detail::decode_target(target, request));
    return request;
  }

  http_response ask(std::string_view target) {
    http_request request = request_of(target);
    routes.look(request);
    return *routes.answer(request);
  }

  std::string get(std::string_view target) {
    http_response response = ask(target);
    CHECK(response.status == 200);
    return response.body;
  }

  void second() {
    pass(1s);
    CHECK(model.tick(false));
  }
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++number;
  }
  return number;
}

} // namespace

TEST_CASE("observer model: nothing is counted while nobody looks", "[observer]") {
  looking here;
  CHECK_FALSE(otpp::detail::is_counting());
  CHECK_FALSE(here.model.tick(false));
  CHECK(here.model.look());
  CHECK_FALSE(here.model.look()); // is ticked already
  CHECK(otpp::detail::is_counting());
  pass(14s);
  CHECK(here.model.tick(false));
  CHECK(here.model.tick(true)); // a stream is open
  pass(14s);
  CHECK(here.model.tick(false));
  pass(1s);
  CHECK_FALSE(here.model.tick(false));
  CHECK_FALSE(otpp::detail::is_counting());

  CHECK(here.routes.look(here.request_of("/metrics")));
  pass(119s);
  CHECK(here.model.tick(false));
  pass(1s);
  CHECK_FALSE(here.model.tick(false));
}

TEST_CASE("observer routes: the table is sorted, searched and cut where it is made", "[observer]") {
  looking here;
  run([&]() -> asio::awaitable<void> {
    auto alpha = co_await otpp::start<server>(otpp::named("alpha"));
    auto beta = co_await otpp::start<server>(otpp::named("beta \"<\xFF>"));
    auto nameless = co_await otpp::start<server>();
    here.model.look();
    event go_on;
    co_await otpp::cast<server::wait>(beta, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    co_await otpp::cast<server::note>(beta);
    co_await otpp::cast<server::note>(alpha);
    co_await otpp::get_status(alpha); // it has handled that
    here.second();

    std::string all = here.get("/api/v1/processes");
    CHECK(contains(all, R"("total": 3, "matched": 3, "offset": 0)"));
    CHECK(all.find("alpha") < all.find("beta"));
    CHECK(contains(
        all, R"("name": "beta \"<)"
             "\xEF\xBF\xBD"
             R"(>")"));
    CHECK(contains(all, R"("name": ")" + nameless.describe() + '"'));
    std::string queue = here.get("/api/v1/processes?sort=queue&n=1");
    CHECK(contains(queue, R"("matched": 3)"));
    CHECK(contains(queue, R"("queue": 1,)"));
    CHECK_FALSE(contains(queue, "alpha"));
    CHECK(contains(queue, "server::wait"));
    std::string rate = here.get("/api/v1/processes?sort=rate&n=1&order=desc");
    CHECK(contains(rate, R"("rate": 1,)"));
    std::string down = here.get("/api/v1/processes?sort=name&order=desc");
    CHECK(down.find("alpha") > down.find("beta"));
    CHECK(contains(here.get("/api/v1/processes?offset=7"), R"("rows": [])"));

    CHECK(contains(here.get("/api/v1/processes?q=ALPHA"), R"("matched": 1)"));
    CHECK(contains(here.get("/api/v1/processes?q=server+alpha"), R"("matched": 1)"));
    CHECK(contains(here.get("/api/v1/processes?q=server::wait"), R"("matched": 1)"));
    CHECK(contains(here.get("/api/v1/processes?q=alpha+beta"), R"("matched": 0)"));
    CHECK(contains(here.get("/api/v1/processes?q=is:stuck"), R"("matched": 0)"));
    pass(1s);
    here.second();
    std::string one = here.get("/api/v1/process?id=" + std::to_string(beta.id()));
    CHECK(contains(one, R"("history": {"interval": 1)"));
    const std::string number = std::to_string(otpp::processes()[0].context_number);
    CHECK(count(all, "\"context\": " + number + ',') == 3);
    CHECK(contains(one, "\"context\": " + number + ','));
    CHECK(contains(one, R"("links": [], "monitors": [], "monitored_by": [])"));

    go_on.happen();
    co_await alpha.stop();
    co_await beta.stop();
    co_await nameless.stop();
    here.second();
    std::string dead = here.get("/api/v1/processes?q=is:dead");
    CHECK(contains(dead, R"("total": 0, "matched": 3)"));
    CHECK(count(dead, R"("ended": {"reason": "normal", "ago": 1})") == 3);
    pass(9s);
    here.second();
    CHECK(contains(here.get("/api/v1/processes?q=is:dead"), R"("matched": 0)")); // after ten seconds
  });
}

TEST_CASE("observer routes: what is asked wrongly gets a sentence", "[observer]") {
  looking here;
  for (const char* target :
       {"/api/v1/processes?sort=bogus", "/api/v1/processes?order=up", "/api/v1/processes?n=0",
        "/api/v1/processes?n=1001", "/api/v1/processes?n=", "/api/v1/processes?n=1x",
        "/api/v1/processes?n=-1", "/api/v1/processes?n=99999999999999999999999",
        "/api/v1/processes?offset=-1", "/api/v1/tree?depth=0", "/api/v1/tree?n=x", "/api/v1/process",
        "/api/v1/process?id=x", "/top?sort=x"}) {
    INFO(target);
    http_response response = here.ask(target);
    CHECK(response.status == 400);
    CHECK(response.body.starts_with("{\"error\": \""));
  }
  CHECK(here.ask("/api/v1/process?id=4000000000").status == 404);
  CHECK(here.ask("/api/v1/nothing").status == 404);
  CHECK(here.ask("/favicon.ico").status == 404);
  CHECK(here.ask("/").type.starts_with("text/html"));
  CHECK(contains(here.get("/api"), "/api/v1/processes"));
}

TEST_CASE(
    "observer routes: the tree, with restarts, crashes and what the supervisor has left", "[observer]") {
  captured_stderr capture;
  looking here;
  run([&]() -> asio::awaitable<void> {
    otpp::supervisor_spec inner = otpp::supervisor_spec(otpp::one_for_all).add(otpp::child<server>("c"));
    otpp::supervisor_spec spec = otpp::supervisor_spec(otpp::one_for_one)
                                     .intensity(2, 5s)
                                     .add(otpp::child<server>("a").named("observed a"))
                                     .add(otpp::child<server>("b").restart(otpp::transient))
                                     .add(otpp::child<otpp::supervisor>("inner", inner));
    otpp::options how = otpp::named("observed main");
    auto top = co_await otpp::start_supervisor(how, spec);
    std::string before = here.get("/api/v1/tree");
    CHECK(count(before, R"("restarts": 0)") == 5);
    CHECK(contains(before, R"("strategy": "one_for_one", "intensity": 2, "period": 5, "recent": 0)"));
    CHECK(contains(before, R"("child": "b", "restart": "transient")"));
    CHECK(before.find(R"("child": "inner")") < before.find(R"("child": "c")"));

    otpp::pid first(*otpp::whereis<server>("observed a"));
    co_await otpp::cast<server::fail>(*first.as<server>(), "no \"luck\"");
    co_await first.join();
    co_await otpp::wait_for_name<server>("observed a", 5s);
    here.second(); // its supervisor may not know of it yet
    co_await otpp::count_children(top);
    here.second();
    std::string after = here.get("/api/v1/tree");
    CHECK(contains(after, R"("recent": 1)"));
    CHECK(contains(after, R"("lints": ["restart_loop"])")); // one more, and it is at its limit
    CHECK(contains(after, R"("ended": {"reason": "no \"luck\"")"));
    CHECK(count(after, R"("child": "a")") == 2); // the old one and the new one, at the same place
    CHECK(after.rfind(R"("child": "a")") < after.find(R"("child": "b")"));
    CHECK(contains(here.get("/api/v1/tree?depth=1"), R"("children": [], "more": 4)"));
    CHECK(contains(here.get("/api/v1/tree?n=1"), R"("more": 3)"));
    CHECK(contains(here.get("/api/v1/processes?q=is:supervisor"), R"("matched": 2)"));

    std::string crashes = here.get("/api/v1/crashes");
    CHECK(contains(crashes, R"("server": "\"observed a\"")"));
    CHECK(contains(crashes, R"("reason": "no \"luck\"", "message": )"));
    CHECK(contains(crashes, R"("state": "0 notes", "count": 1, "first": 1764275000)"));
    CHECK(contains(
        crashes, R"("supervisor": "\"observed main\"", "child": "a", "event": "terminated", "reason": "no)"));
    CHECK(contains(crashes, R"("supervisor": "\"observed main\"", "child": "a", "event": "restarted")"));
    std::string history = here.get("/api/v1/history");
    CHECK(contains(history, R"("kind": "crash", "text": "\"observed a\": no \"luck\"")"));
    CHECK(contains(history, R"("kind": "restart", "text": "a of \"observed main\"")"));

    std::string metrics = here.get("/metrics");
    CHECK(contains(metrics, "otpp_supervisor_restarts_total{supervisor=\"observed main\",child=\"a\"} 1\n"));
    CHECK(contains(metrics, "otpp_processes{type=\"otpp::supervisor\"} 2\n"));
    CHECK(contains(metrics, ",reason=\"error\"} 1\n"));
    CHECK_FALSE(contains(metrics, "#" + std::to_string(first.id())));

    std::string tick = here.get("/api/v1/tick");
    CHECK(contains(tick, R"("crashes": 1)"));
    CHECK(contains(
        tick, R"("kind": "restart_loop", "text": "observed main has restarted children 1 times in 5.0 s)"));
    CHECK(contains(here.get("/top?n=2&sort=restarts"), "observed a"));
    co_await top.stop();
  });
}

TEST_CASE(
    "observer routes: a stuck handler, those who wait for each other, and a full mailbox", "[observer]") {
  struct asker {
    struct ask {
      using reply_type = int;
    };
    struct begin {};
    std::string init(std::string whom) { return whom; }
    asio::awaitable<void> handle_cast(begin, std::string& whom) { co_await get(whom); }
    asio::awaitable<void> handle_call(
        ask, otpp::caller<int> caller, std::string& whom) { // may be answered elsewhere
      co_await get(whom);
      caller.reply(1);
    }
    static asio::awaitable<void> get(const std::string& whom) {
      int got = co_await otpp::call_for<ask>(otpp::server_name<asker>(whom), otpp::infinite);
      (void)got;
    }
  };
  captured_stderr capture;
  looking here;
  run([&]() -> asio::awaitable<void> {
    auto one = co_await otpp::start<asker>(otpp::named("ring 1").mailbox_limit(2), "ring 2");
    auto two = co_await otpp::start<asker>(otpp::named("ring 2"), "ring 1");
    co_await otpp::cast<asker::begin>(one);
    co_await until([&] {
      return otpp::top_processes(2, [](const auto& each) { return each.id(); })[0].waits_for.size() == 1;
    });
    co_await otpp::cast<asker::begin>(one);
    here.model.look();
    here.second();
    here.second();
    std::string stuck = here.get("/api/v1/processes?q=is:stuck");
    CHECK(contains(stuck, R"("matched": 2)"));
    const std::string a = std::to_string(one.id());
    const std::string b = std::to_string(two.id());
    CHECK(contains(stuck, "\"waits_for\": [" + b + "], \"cycle\": [" + a + ", " + b + "]"));
    CHECK(contains(stuck, R"("lints": ["stuck", "mailbox_full", "deadlock"])"));
    std::string tick = here.get("/api/v1/tick");
    CHECK(contains(tick, "ring 1 waits for ring 2 waits for ring 1"));
    CHECK(contains(tick, "ring 2 has handled "));
    CHECK(contains(tick, R"("lints_total": 5)"));
    otpp::exit(one, otpp::exit_reason::killed());
    otpp::exit(two, otpp::exit_reason::killed());
  });
}

TEST_CASE("observer routes: what a process has handled since somebody looks at it", "[observer]") {
  captured_stderr capture;
  looking here;
  run([&]() -> asio::awaitable<void> {
    auto one = co_await otpp::start<server>();
    auto other = co_await otpp::start<server>();
    const std::string target = "/api/v1/process?id=" + std::to_string(one.id());
    co_await otpp::cast<server::note>(one); // before anybody looks
    co_await otpp::get_status(one);
    here.get("/api/v1/processes");
    CHECK_FALSE(otpp::detail::is_tracing()); // the table needs no messages
    const std::string first = here.get(target);
    CHECK(otpp::detail::is_tracing());
    CHECK(contains(first, R"("recent": [])"));
    CHECK(contains(
        first,
        R"("ran": {"for": 0, "up_to": [1e-05, 0.0001, 0.001, 0.01, 0.1, 1], "counts": [0, 0, 0, 0, 0, 0, 0]})"));

    co_await otpp::cast<server::note>(one);
    co_await otpp::cast<server::note>(other);
    co_await otpp::get_status(one);
    co_await otpp::get_status(other);
    pass(2s);
    const std::string second = here.get(target);
    CHECK(contains(second, R"("recent": [{"message": ")"));
    CHECK(contains(second, R"(server::note", "kind": "message", "waited": )"));
    CHECK(count(second, R"("error": null)") == 1); // neither of before, nor of the other
    CHECK(contains(second, R"("ran": {"for": 2,)"));

    co_await otpp::cast<server::fail>(one, "no \"luck\"");
    co_await one.join();
    here.second();
    const std::string third = here.get(target); // it has ended, and lingers
    CHECK(third.find("server::fail") < third.find("server::note"));
    CHECK(contains(third, R"("error": "no \"luck\"")"));
    for (int n = 0; n != 4; ++n) {
      here.second();
      here.get("/api/v1/tick");
    }
    CHECK(otpp::detail::is_tracing());
    here.second();
    CHECK_FALSE(otpp::detail::is_tracing()); // five seconds after the last look
    here.get("/api/v1/process?id=" + std::to_string(other.id()));
    CHECK(otpp::detail::is_tracing());
    pass(15s);
    CHECK_FALSE(here.model.tick(false)); // nobody looks at anything
    CHECK_FALSE(otpp::detail::is_tracing());
    co_await other.stop();
  });
}

TEST_CASE("observer routes: a status is asked for, and the table needs no answer", "[observer]") {
  looking here;
  run([&]() -> asio::awaitable<void> {
    auto whom = co_await otpp::start<server>();
    co_await otpp::cast<server::note>(whom);
    http_request request = here.request_of("/api/v1/status?id=" + std::to_string(whom.id()));
    CHECK_FALSE(here.routes.answer(request));
    http_response response = co_await observer_routes::ask_status(request);
    CHECK(response.body == "{\"status\": \"1 notes\"}\n");
    co_await whom.stop();
    response = co_await observer_routes::ask_status(request);
    CHECK(response.status == 404);
    request = here.request_of("/api/v1/status?id=no");
    response = co_await observer_routes::ask_status(request);
    CHECK(response.status == 400);
  });
}
