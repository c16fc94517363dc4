// SPDX-License-Identifier: BSL-1.0

#include <otpp/failed_call.hpp>

#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/request.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

// Calls another server or itself, or sends to itself, and answers with the code of the error that it gets.
struct relay {
  struct ask {
    otpp::server_ref<relay> whom;
    using reply_type = int;
    explicit ask(otpp::server_ref<relay> to = {}) : whom(std::move(to)) {}
  };
  struct fill {
    using reply_type = int;
  };
  struct nothing {};

  int init() { return 0; }
  asio::awaitable<int> handle_call(ask m, int&) {
    ask next(otpp::self<relay>());
    std::error_code code = co_await code_of(otpp::call(m.whom, std::move(next)));
    co_return code.value();
  }
  asio::awaitable<int> handle_call(fill, int&) {
    std::error_code code;
    while (!code) {
      std::error_code next = co_await code_of(otpp::cast<nothing>(otpp::self<relay>()));
      code = next;
    }
    co_return code.value();
  }
  void handle_cast(nothing, int&) {}
};

namespace {

// Keeps what is told.
class failure_log {
 public:
  // What was told since the last call.
  std::vector<otpp::failed_call> take() { return std::exchange(all_, {}); }

 private:
  std::vector<otpp::failed_call> all_;
  otpp::subscription told_ =
      otpp::subscribe<otpp::failed_call>([this](const otpp::failed_call& one) { all_.push_back(one); });
};

void check_one(
    const std::vector<otpp::failed_call>& told, otpp::errc code, const std::string& operation,
    const std::string& message, const std::string& type = "scribe") {
  REQUIRE(told.size() == 1);
  CHECK(told[0].code == code);
  CHECK(told[0].operation == operation);
  CHECK(told[0].message == message);
  CHECK(told[0].type == type);
}

} // namespace

TEST_CASE("failed_call: a timeout is told, with the server and the message", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(otpp::named("slow"), journal());
    kept_caller kept = keep_caller();
    std::error_code code = co_await code_of(otpp::call_for<scribe::keep>(server, 1ms, kept));
    CHECK(code == otpp::errc::timeout);
    std::vector<otpp::failed_call> told = log.take();
    check_one(told, otpp::errc::timeout, "call", "scribe::keep");
    CHECK(told[0].server == "\"slow\"");
    CHECK(told[0].id == server.id());
    CHECK(told[0].text().find("otpp: call of scribe::keep at \"slow\" has failed: no answer in time") == 0);

    code = co_await code_of(otpp::call_for<scribe::ask>(server, -1ms, 1)); // is refused
    check_one(log.take(), otpp::errc::timeout, "call", "scribe::ask");
    co_await server.stop();
  });
  CHECK(log.take().empty());
}

TEST_CASE("failed_call: so are the end of the server, and a dropped caller", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    std::error_code code = co_await code_of(otpp::call<scribe::drop>(server));
    CHECK(code == otpp::errc::no_reply);
    check_one(log.take(), otpp::errc::no_reply, "call", "scribe::drop");
    code = co_await code_of(otpp::call<scribe::leave>(server, otpp::exit_reason::shutdown()));
    CHECK(code == otpp::errc::exited);
    check_one(log.take(), otpp::errc::exited, "call", "scribe::leave");

    code = co_await code_of(otpp::call<scribe::ask>(server, 1));
    CHECK(code == otpp::errc::no_process);
    check_one(log.take(), otpp::errc::no_process, "call", "scribe::ask");
    code = co_await code_of(otpp::cast<scribe::note>(server, "too late"));
    CHECK(code == otpp::errc::no_process);
    check_one(log.take(), otpp::errc::no_process, "cast", "scribe::note");
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "too late"));
  });
  CHECK(log.take().empty());
}

TEST_CASE("failed_call: an address without a server has the type that was expected", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    std::error_code code = co_await code_of(otpp::call<scribe::ask>(otpp::server_name<scribe>("none"), 1));
    CHECK(code == otpp::errc::no_process);
    std::vector<otpp::failed_call> told = log.take();
    check_one(told, otpp::errc::no_process, "call", "scribe::ask");
    CHECK(told[0].server == "\"none\"");
    CHECK(told[0].id == 0);
    code = co_await code_of(otpp::send<scribe::note>("none", "lost"));
    check_one(log.take(), otpp::errc::no_process, "send", "scribe::note", "");

    auto server = co_await otpp::start<relay>();
    code = co_await code_of(otpp::call<scribe::ask>(otpp::pid(server), 1));
    CHECK(code == otpp::errc::bad_message);
    check_one(log.take(), otpp::errc::bad_message, "call", "scribe::ask", "relay");
    co_await server.stop();
  });
}

TEST_CASE("failed_call: calls that would wait for each other are told", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto one = co_await otpp::start<relay>();
    auto other = co_await otpp::start<relay>();
    relay::ask to_itself(one);
    int code = co_await otpp::call(one, to_itself);
    CHECK(code == static_cast<int>(otpp::errc::calling_self));
    check_one(log.take(), otpp::errc::calling_self, "call", "relay::ask", "relay");

    // `one` calls `other`, which calls `one`: the second call is refused.
    relay::ask in_a_ring(other);
    code = co_await otpp::call(one, in_a_ring);
    CHECK(code == 0);
    check_one(log.take(), otpp::errc::deadlock, "call", "relay::ask", "relay");
    co_await one.stop();
    co_await other.stop();
  });
}

TEST_CASE("failed_call: a full mailbox that cannot be waited for is told", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<relay>(otpp::options().mailbox_limit(2));
    int code = co_await otpp::call<relay::fill>(server);
    CHECK(code == static_cast<int>(otpp::errc::mailbox_full));
    check_one(log.take(), otpp::errc::mailbox_full, "cast", "relay::nothing", "relay");
    co_await server.stop();
  });
}

TEST_CASE("failed_call: what a server answers with is no failure of the call", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    std::exception_ptr why = co_await failure_of(otpp::call<scribe::refuse>(server));
    CHECK(why);
    kept_caller kept = keep_caller();
    auto asked = otpp::send_request<scribe::keep>(server, kept);
    co_await until([&] { return kept->has_value(); });
    (*kept)->fail(otpp::error(otpp::errc::timeout, "of something else"));
    why = co_await failure_of(asked.receive());
    CHECK(why);
    co_await server.stop();
  });
  CHECK(log.take().empty());
}

TEST_CASE("failed_call: requests are told once", "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    auto dropped = otpp::send_request<scribe::drop>(server);
    std::error_code code = co_await code_of(dropped.receive());
    CHECK(code == otpp::errc::no_reply);
    check_one(log.take(), otpp::errc::no_reply, "send_request", "scribe::drop");

    kept_caller kept = keep_caller();
    auto late = otpp::send_request<scribe::keep>(server, kept);
    code = co_await code_of(late.receive(1ms));
    CHECK(code == otpp::errc::timeout);
    check_one(log.take(), otpp::errc::timeout, "send_request", "scribe::keep");

    // Who only looks whether it has come gives nothing up.
    kept_caller later = keep_caller();
    auto open = otpp::send_request<scribe::keep>(server, later);
    for (int i = 0; i != 2; ++i) {
      code = co_await code_of(open.wait(1ms));
      CHECK(code == otpp::errc::timeout);
    }
    later->reset();
    code = co_await code_of(open.wait());
    CHECK(code == otpp::errc::no_reply);
    check_one(log.take(), otpp::errc::no_reply, "send_request", "scribe::keep");

    kept_caller never = keep_caller();
    std::vector<otpp::server_ref<scribe>> all{server};
    auto answers = co_await otpp::multi_call<scribe::keep>(all, 1ms, never);
    CHECK(answers.size() == 1);
    check_one(log.take(), otpp::errc::timeout, "multi_call", "scribe::keep");
    co_await server.stop();
  });
  CHECK(log.take().empty());
}

TEST_CASE(
    "failed_call: a request whose server's context is destroyed is told, and a timer is not",
    "[failed_call]") {
  failure_log log;
  run([&]() -> asio::awaitable<void> {
    auto apart = std::make_unique<asio::io_context>();
    auto start = otpp::start<scribe>(otpp::options().on(apart->get_executor()), journal(), asio::use_future);
    apart->poll();
    auto server = start.get();
    auto asked = otpp::send_request<scribe::keep>(server, keep_caller());
    apart->poll();
    apart.reset();
    std::error_code code = co_await code_of(asked.receive());
    CHECK(code == otpp::errc::exited);
    check_one(log.take(), otpp::errc::exited, "send_request", "scribe::keep");
    CHECK_THROWS_AS(otpp::send_after<relay::nothing>(1ms, otpp::pid()), otpp::error);
  });
  CHECK(log.take().empty());
}
