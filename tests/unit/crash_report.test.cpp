// SPDX-License-Identifier: BSL-1.0

#include <otpp/crash_report.hpp>

#include <otpp/detail/util/topic.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/timer.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// What a report said, copied: its views are of the server's.
struct kept_report {
  int times = 0;
  std::string name, callbacks, message;
  std::uint64_t id = 0;
  std::size_t dropped = 0;
  otpp::exit_reason reason;
  bool was_told_of_end = false;
};

} // namespace

TEST_CASE("crash_report: says which server, why, and at which message", "[crash_report]") {
  kept_report kept;
  pending<int> answer;
  otpp::subscription heard = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report& report) {
    ++kept.times;
    kept.name = report.name;
    kept.callbacks = report.callbacks;
    kept.message = report.message;
    kept.id = report.id;
    kept.dropped = report.dropped;
    kept.reason = report.reason;
    kept.was_told_of_end = answer.is_done();
  });
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(otpp::named("crash-scribe"), journal());
    otpp::call<scribe::crash>(server, answer.token());
    for (int n = 0; n != 3; ++n) {
      bool taken = otpp::try_cast<scribe::note>(server, "left");
      CHECK(taken);
    }
    pending<int> queued; // a call is no dropped message: its caller is told
    otpp::call<scribe::ask>(server, 1, queued.token());
    otpp::error error = co_await error_of(answer.get());
    CHECK(kept.times == 1);
    CHECK_FALSE(kept.was_told_of_end); // it comes before
    CHECK(kept.name == "crash-scribe");
    CHECK(kept.callbacks == "scribe");
    CHECK(kept.message == "scribe::crash");
    CHECK(kept.id == server.id());
    CHECK(kept.dropped == 3);
    CHECK(kept.reason == error.reason());
    std::error_code code = co_await queued.code();
    CHECK(code == otpp::errc::exited);
  });
}

TEST_CASE("crash_report: what any end has dropped is counted", "[crash_report]") {
  for (const char* how : {"stop", "exit"}) {
    INFO(how);
    kept_report kept;
    otpp::subscription heard = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report& report) {
      ++kept.times;
      kept.dropped += report.dropped;
      kept.reason = report.reason;
    });
    run([&]() -> asio::awaitable<void> {
      event go_on;
      auto server = co_await otpp::start<scribe>(journal());
      co_await otpp::cast<scribe::hold>(server, go_on);
      co_await until([&] { return go_on.is_awaited(); });
      pending<> stopped;
      if (how[0] != 'e') {
        server.stop(stopped.token());
      }
      for (int n = 0; n != 4; ++n) {
        co_await otpp::cast<scribe::note>(server, "left");
      }
      pending<int> queued; // its caller is told
      otpp::call<scribe::ask>(server, 1, queued.token());
      otpp::send_after(0s, server, scribe::note{"of a timer"});
      co_await some_steps();
      if (how[0] == 'e') {
        otpp::exit(server, otpp::exit_reason::shutdown());
      }
      go_on.happen();
      otpp::exit_reason why = co_await server.join();
      CHECK(kept.reason == why);
    });
    CHECK(kept.times == 1);
    CHECK(kept.dropped == 4);
  }
}

TEST_CASE("crash_report: a clean end makes none, any other does", "[crash_report]") {
  struct row {
    otpp::exit_reason reason;
    std::size_t reports;
  };
  const row rows[] = {
      {otpp::exit_reason::normal(), 0},
      {otpp::exit_reason::shutdown(), 0},
      {otpp::exit_reason::shutdown("drained"), 0},
      {otpp::exit_reason::killed(), 1},
      {std::runtime_error("x"), 1}};
  for (const row& one : rows) {
    CAPTURE(one.reason.message());
    crash_log reports;
    run([&one]() -> asio::awaitable<void> {
      auto by_stop = co_await otpp::start<scribe>(journal());
      co_await by_stop.stop(one.reason);
      auto by_handler = co_await otpp::start<scribe>(journal());
      std::error_code error = co_await code_of(otpp::call<scribe::leave>(by_handler, one.reason));
      CHECK(error == otpp::errc::exited);
    });
    CHECK(reports.texts().size() == 2 * one.reports);
  }
}

TEST_CASE("crash_report: a context that is destroyed under a server makes none", "[crash_report]") {
  crash_log reports;
  std::uint64_t id = 0;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(1);
    id = server.id();
  });
  CHECK(id != 0);
  CHECK(reports.texts().empty());
}

TEST_CASE("crash_report: what a subscriber throws hurts nobody", "[crash_report]") {
  otpp::subscription heard = otpp::subscribe<otpp::crash_report>(
      [](const otpp::crash_report&) { throw std::runtime_error("no paper"); });
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    otpp::error error = co_await error_of(otpp::call<scribe::crash>(server));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(text_of(error.reason().exception()) == "boom");
  });
}

namespace {

// One whose state is shown, or cannot be.
struct shown {
  struct fail {
    using reply_type = int;
  };
  struct forward {
    using reply_type = int;
    explicit forward(otpp::server_ref<shown> other) : to(std::move(other)) {}
    otpp::server_ref<shown> to;
  };
  std::string init(std::string text) { return text; }
  int handle_call(fail, std::string& text) {
    text += " changed";
    throw std::runtime_error("first line\nsecond line");
  }
  asio::awaitable<int> handle_call(forward request, std::string&) {
    int answer = 0;
    fail message; // made before, so that the report has the line of the call
    try {
      answer = co_await otpp::call(request.to, message);
    } catch (const otpp::error&) {
    }
    co_return answer;
  }
  void terminate(const otpp::exit_reason&, std::string& text) {
    text.clear();
    throw std::runtime_error("terminate, too");
  }
  static std::string format_status(const std::string& text) {
    if (text.find("secret") != std::string::npos) {
      throw std::runtime_error("not to be shown");
    }
    return '<' + text + '>';
  }
};

} // namespace

TEST_CASE("crash_report: says the state, the caller and both reasons, in one line", "[crash_report]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shown>(otpp::named("shown"), "open");
    auto asker = co_await otpp::start<shown>(otpp::named("asker"), "");
    co_await otpp::call<shown::forward>(asker, server);
    auto other = co_await otpp::start<shown>("secret");
    co_await error_of(otpp::call<shown::fail>(other));
    co_await code_of(asker.stop()); // only its terminate fails
  });
  REQUIRE(log.texts().size() == 3);
  const std::string& text = log.texts()[0];
  for (const char* part :
       {"ended: terminate, too (while terminating: first line\\nsecond line)", "::fail from ",
        ", called by \"asker\"", "; its state: <open changed>"}) {
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(text.find('\n') == std::string::npos);
  CHECK(log.texts()[1].find("; its state: format_status failed: not to be shown") != std::string::npos);
  CHECK(log.texts()[1].find("called by") == std::string::npos); // a coroutine that is no process
  CHECK(log.texts()[2].find("ended: terminate, too (while terminating: normal)") != std::string::npos);
}

TEST_CASE("crash_report: says where the message was sent from, or nothing", "[crash_report]") {
  std::vector<std::uint32_t> lines;
  otpp::subscription heard = otpp::subscribe<otpp::crash_report>(
      [&](const otpp::crash_report& report) { lines.push_back(report.where.line()); });
  std::uint32_t here = 0;
  std::uint32_t there = 0;
  run([&]() -> asio::awaitable<void> {
    for (bool is_in_place : {false, true}) {
      auto server = co_await otpp::start<scribe>(journal());
      scribe::crash message;
      pending<int> answer;
      if (is_in_place) {
        otpp::call<scribe::crash>(server, answer.token());
      } else {
        otpp::call(server, message, answer.token());
        here = __LINE__ - 1;
      }
      co_await answer.code();
      auto other = co_await otpp::start<scribe>(journal());
      if (is_in_place) {
        co_await otpp::cast<scribe::crash_later>(other);
      } else {
        scribe::crash_later later;
        co_await otpp::cast(other, later);
        there = __LINE__ - 1;
      }
      co_await other.join();
    }
  });
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == here);
  CHECK(lines[1] == there);
  CHECK(lines[2] == 0); // the library's own line would say nothing
  CHECK(lines[3] == 0);
}

TEST_CASE("crash_report: a long reason is cut, and hides nothing else", "[crash_report]") {
  otpp::crash_report report(otpp::exit_reason(std::runtime_error(std::string(999, 'x') + "\u00E4" + "yz")));
  report.callbacks = "kv_store";
  report.state = "7\t8\x01";
  CHECK(
      report.text() == "otpp: server #0 (kv_store) ended: " + std::string(999, 'x') +
                           " [and 4 bytes more]; its state: 7\\t8\\x01");
}

TEST_CASE("crash_report: the text has everything in one line", "[crash_report]") {
  otpp::crash_report report(otpp::exit_reason(std::runtime_error("disk full")));
  report.callbacks = "kv_store";
  report.id = 17;
  CHECK(report.text() == "otpp: server #17 (kv_store) ended: disk full");
  report.name = "kv";
  report.message = "kv_store::put";
  report.dropped = 2;
  std::string text = report.text();
  for (const char* part : {"\"kv\"", "kv_store::put", "disk full", "2 casts"}) {
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(text.find('\n') == std::string::npos);
}

TEST_CASE("crash_report: a name with a zero in it does not end the line", "[crash_report]") {
  std::string name("a\0b", 3);
  otpp::crash_report report(otpp::exit_reason(std::runtime_error("disk full")));
  report.name = name;
  captured_stderr captured;
  otpp::detail::topic<otpp::crash_report>::print(stderr, report);
  std::string said = captured.text();
  CHECK(said == report.text() + '\n');
}
