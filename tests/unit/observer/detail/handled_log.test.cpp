// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/handled_log.hpp>

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>
#include <otpp/sys.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::detail::cut_text;
using otpp::detail::handled_by;
using otpp::detail::handled_log;
using otpp::detail::handled_message;

namespace {

const handled_log::time_point beginning = std::chrono::steady_clock::now();

struct worker {
  struct note {};
  struct ask {
    using reply_type = int;
  };
  struct later { // is answered by somebody else
    std::optional<otpp::caller<int>>* whom;
    using reply_type = int;
  };
  struct wait {
    event until;
  };
  struct fail {
    std::string why;
  };
  struct pause {};
  int init() { return 0; }
  void handle_cast(note, int& n) { ++n; }
  int handle_call(ask, int& n) { return n; }
  void handle_call(later m, otpp::caller<int> whom, int&) { *m.whom = std::move(whom); }
  asio::awaitable<void> handle_cast(wait m, int&) { co_await m.until.wait(); }
  void handle_cast(const fail& m, int&) { throw std::runtime_error(m.why); }
  otpp::outcome<void> handle_cast(pause, int&) { return otpp::outcome<void>().timeout(0ms); }
  void handle_info(otpp::timeout, int&) {}
};

std::vector<handled_message> all(const handled_by& one) {
  std::vector<handled_message> result;
  one.visit([&](const handled_message& each) { result.push_back(each); });
  return result;
}

std::uint64_t sum(const handled_by& one) {
  return std::accumulate(one.ran.begin(), one.ran.end(), std::uint64_t{0});
}

} // namespace

TEST_CASE("handled_log: a text is cut between characters", "[observer]") {
  CHECK(cut_text().view().empty());
  CHECK(cut_text("short").view() == "short");
  const std::string fits(cut_text::most, 'x');
  CHECK(cut_text(fits).view() == fits);
  CHECK(cut_text(fits + "x").view() == fits.substr(3) + "...");
  const std::string euros =
      std::string(75, 'x') + "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"; // 77 is inside the first
  CHECK(cut_text(euros).view() == std::string(75, 'x') + "...");
  CHECK(cut_text(std::string(100, '\x80')).view() == "..."); // no UTF-8 at all
}

TEST_CASE("handled_log: the newest twenty, and how long all of them ran", "[observer]") {
  handled_by log;
  CHECK(all(log).empty());
  for (int n = 1; n <= 3; ++n) {
    handled_message one;
    one.waited = std::chrono::seconds(n);
    log.add(one);
  }
  REQUIRE(all(log).size() == 3);
  CHECK(all(log).front().waited == 3s);
  for (int n = 4; n <= 50; ++n) {
    handled_message one;
    one.waited = std::chrono::seconds(n);
    one.ran = 10us;
    log.add(one);
  }
  REQUIRE(all(log).size() == handled_by::most);
  CHECK(all(log).front().waited == 50s);
  CHECK(all(log).back().waited == 31s);
  for (otpp::duration ran : {otpp::duration(10us + 1ns), otpp::duration(1s), otpp::duration(1s + 1ns)}) {
    handled_message one;
    one.ran = ran;
    log.add(one);
  }
  CHECK(log.ran == std::array<std::uint64_t, 7>{50, 1, 0, 0, 0, 1, 1});
}

TEST_CASE("handled_log: what a message was, and what became of it", "[observer]") {
  captured_stderr capture;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<worker>();
    handled_log log;
    CHECK(all(log.look(server.id(), beginning)).empty());
    event go_on;
    co_await otpp::cast<worker::wait>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(all(log.look(server.id(), beginning)).empty()); // it is handled still
    co_await otpp::cast<worker::note>(server);
    go_on.happen();
    int asked = co_await otpp::call<worker::ask>(server);
    CHECK(asked == 1);
    std::optional<otpp::caller<int>> whom;
    auto answer = otpp::send_request<worker::later>(server, &whom);
    co_await otpp::cast<worker::pause>(server);
    co_await otpp::get_status(server);
    co_await until([&] { return log.look(server.id(), beginning).number == 6; });
    std::vector<handled_message> seen = all(log.look(server.id(), beginning));
    const std::array<std::string_view, 6> kinds{"timeout", "message", "call", "call", "message", "message"};
    for (std::size_t i = 0; i != kinds.size(); ++i) {
      INFO(i);
      CHECK(seen[i].kind() == kinds[i]);
      CHECK(seen[i].error.view().empty());
      CHECK(seen[i].waited.has_value() == (i != 0));
    }
    CHECK(seen[5].type.view() == otpp::detail::type_name<worker::wait>());
    CHECK(seen[4].type.view() == otpp::detail::type_name<worker::note>());
    CHECK(*seen[4].waited > 0ns); // for the one before
    CHECK(seen[5].ran >= *seen[4].waited);

    co_await otpp::cast<worker::fail>(server, std::string(200, 'y'));
    co_await server.join();
    seen = all(log.look(server.id(), beginning));
    CHECK(seen[0].error.view() == std::string(77, 'y') + "...");
    CHECK(sum(log.look(server.id(), beginning)) == 7);
  });
}

TEST_CASE("handled_log: it traces only while somebody looks", "[observer]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<worker>();
    auto other = co_await otpp::start<worker>();
    handled_log log;
    CHECK_FALSE(otpp::detail::is_tracing());
    log.look(server.id(), beginning);
    CHECK(otpp::detail::is_tracing());
    co_await otpp::call<worker::ask>(server);
    co_await otpp::call<worker::ask>(other);
    CHECK(log.look(server.id(), beginning + 2s).number == 1);
    log.expire(beginning + 6s);
    CHECK(log.look(server.id(), beginning + 6s).since == beginning);
    log.look(other.id(), beginning + 8s);
    log.expire(beginning + 11s); // the first
    CHECK(otpp::detail::is_tracing());
    const handled_by again = log.look(server.id(), beginning + 12s);
    CHECK(again.since == beginning + 12s);
    CHECK(again.number == 0);
    log.expire(beginning + 16s);
    CHECK(otpp::detail::is_tracing());
    log.expire(beginning + 17s);
    CHECK_FALSE(otpp::detail::is_tracing());
    log.look(server.id(), beginning + 20s);
    CHECK(otpp::detail::is_tracing());
    log.forget_all();
    CHECK_FALSE(otpp::detail::is_tracing());
    {
      handled_log short_lived;
      short_lived.look(server.id(), beginning);
      CHECK(otpp::detail::is_tracing());
    }
    CHECK_FALSE(otpp::detail::is_tracing());
    co_await other.stop();
    co_await server.stop();
  });
}

TEST_CASE("handled_log: of more than eight processes, those looked at last", "[observer]") {
  handled_log log;
  for (std::uint64_t id = 1; id <= handled_log::most; ++id) {
    log.look(id, beginning + std::chrono::milliseconds(id));
  }
  log.look(1, beginning + 1s);
  log.look(100, beginning + 2s); // in the place of 2
  CHECK(log.look(1, beginning + 3s).since == beginning + 1ms);
  CHECK(log.look(3, beginning + 3s).since == beginning + 3ms);
  CHECK(log.look(100, beginning + 3s).since == beginning + 2s);
  CHECK(log.look(2, beginning + 4s).since == beginning + 4s);
}

TEST_CASE("handled_log: events come on any thread", "[observer]") {
  asio::thread_pool pool(2);
  std::vector<otpp::server_ref<worker>> servers;
  for (int n = 0; n != 4; ++n) {
    servers.push_back(otpp::start<worker>(otpp::options().on(pool.get_executor()), asio::use_future).get());
  }
  std::atomic<bool> is_over{false};
  std::thread sender([&] {
    while (!is_over) {
      for (const otpp::server_ref<worker>& one : servers) {
        otpp::call<worker::ask>(one, asio::use_future).get();
      }
    }
  });
  {
    handled_log log;
    std::uint64_t most = 0;
    for (int n = 0; n < 200 || most == 0; ++n) {
      for (const otpp::server_ref<worker>& one : servers) {
        const handled_by seen = log.look(one.id(), beginning);
        CHECK(sum(seen) == seen.number);
        most = (std::max)(most, seen.number);
      }
      if (n % 50 == 49) {
        log.forget_all();
      }
    }
  }
  is_over = true;
  sender.join();
  for (const otpp::server_ref<worker>& one : servers) {
    one.stop(asio::use_future).get();
  }
  pool.join();
}
