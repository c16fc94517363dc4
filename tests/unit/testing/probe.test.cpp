// SPDX-License-Identifier: BSL-1.0

#include <otpp/testing/probe.hpp>

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using otpp::testing::start_probe;

namespace {

// What is tested is the shop; the bank is a probe.
struct bank {
  struct pay {
    int amount;
    using reply_type = bool;
  };
  struct note {
    std::string text;
  };
  struct close {
    using reply_type = void;
  };
  using messages = otpp::message_list<pay, note>;

  std::unique_ptr<int> init() { throw std::logic_error("no probe runs it"); }
  bool handle_call(pay, std::unique_ptr<int>&) { return false; }
  void handle_call(close, std::unique_ptr<int>&) {}
  void handle_cast(note, std::unique_ptr<int>&) {}
  void handle_info(note, std::unique_ptr<int>&) {}
  void terminate(const otpp::exit_reason&, std::unique_ptr<int>&) { throw std::logic_error("nor this"); }
};

struct shop {
  struct buy {
    int price;
    using reply_type = std::string;
  };

  otpp::server_ref<bank> init(otpp::server_ref<bank> at) { return at; }
  asio::awaitable<std::string> handle_call(buy request, otpp::server_ref<bank>& at) {
    bool is_paid = co_await otpp::call<bank::pay>(at, request.price);
    co_await otpp::cast<bank::note>(otpp::server_name<bank>("bank"), is_paid ? "sold" : "not sold");
    co_return is_paid ? "an apple" : "nothing";
  }
};

// Runs a test in virtual time, in one order.
template <class Body>
void in_virtual_time(Body body) {
  otpp::testing::explore(otpp::testing::orders::fifo(), [&](otpp::testing::world& one) {
    one.spawn("test", [&] { return body(one); });
    one.run();
  });
}

template <class T>
asio::awaitable<std::string> failure_text(asio::awaitable<T> expectation) {
  std::exception_ptr failure = co_await failure_of(std::move(expectation));
  std::string text = text_of(failure);
  co_return text;
}

} // namespace

TEST_CASE("probe: it stands for a server, by reference and by name, and answers when the test does") {
  in_virtual_time([](otpp::testing::world& one) -> asio::awaitable<void> {
    auto probe = co_await start_probe<bank>(otpp::named("bank"));
    auto server = co_await otpp::start<shop>(probe.server());
    std::string sold;
    one.spawn("customer", [&]() -> asio::awaitable<void> {
      sold = co_await otpp::call_for<shop::buy>(server, otpp::infinite, 3);
    });
    auto paid = co_await probe.expect_call<bank::pay>();
    CHECK(paid.message.amount == 3);
    paid.caller.reply(true);
    bank::note said = co_await probe.expect<bank::note>();
    CHECK(said.text == "sold");
    co_await probe.expect_nothing(24h);
    CHECK(sold == "an apple");

    co_await otpp::send<bank::note>("bank", "by a string");
    std::string type = co_await probe.expect_any();
    CHECK(type.find("bank::note") != std::string::npos);

    // Its process ends as a server does, without the callbacks.
    co_await probe.server().stop();
    CHECK(!otpp::whereis<bank>("bank"));
    std::string text = co_await failure_text(probe.expect<bank::note>());
    CHECK(text.find("its process has ended") != std::string::npos);
  });
}

TEST_CASE("probe: a failure says what was expected and what came instead, and nothing is lost") {
  in_virtual_time([](otpp::testing::world&) -> asio::awaitable<void> {
    auto probe = co_await start_probe<bank>(otpp::named("bank"));
    std::string text = co_await failure_text(probe.expect<bank::note>(10s));
    CHECK(text.find("\"bank\" expected ") == 0);
    CHECK(text.find("bank::note within 10 s, and nothing came") != std::string::npos);

    co_await otpp::cast<bank::note>(probe.server(), "one");
    co_await otpp::cast<bank::note>(probe.server(), "two");
    co_await probe.expect<bank::note>();
    text = co_await failure_text(probe.expect_call<bank::pay>());
    CHECK(text.find("bank::pay within 1 s, and got ") != std::string::npos);
    CHECK(text.find("bank::note; before it: ") != std::string::npos);
    text = co_await failure_text(probe.expect_nothing(1500ms));
    CHECK(text.find("expected nothing for 1500 ms, and got ") != std::string::npos);
    bank::note two = co_await probe.expect<bank::note>();
    CHECK(two.text == "two");
  });
}

TEST_CASE("probe: with a script it is a fake of the server") {
  in_virtual_time([](otpp::testing::world&) -> asio::awaitable<void> {
    auto probe = co_await start_probe<bank>(otpp::named("bank"));
    int left = 5;
    probe.on<bank::pay>([&left](bank::pay request) {
      if (request.amount > 100) {
        throw boom();
      }
      left -= request.amount;
      return left >= 0;
    });
    probe.on<bank::close>([&left](bank::close) { left = 0; });
    bool is_paid = co_await otpp::call<bank::pay>("bank", 3);
    CHECK(is_paid);
    is_paid = co_await otpp::call<bank::pay>(probe.server(), 3);
    CHECK(!is_paid);
    std::string text = co_await failure_text(otpp::call<bank::pay>(probe.server(), 101));
    CHECK(text == "boom");
    co_await otpp::call<bank::close>(probe.server());
    CHECK(left == 0);
    co_await probe.expect_nothing();
  });
}

TEST_CASE("probe: who calls one that ends, or drops the call, hears it") {
  in_virtual_time([](otpp::testing::world& one) -> asio::awaitable<void> {
    auto probe = co_await start_probe<bank>();
    otpp::errc dropped{};
    otpp::errc ended{};
    auto pay = [&](otpp::errc& code) -> asio::awaitable<void> {
      otpp::error failure = co_await error_of(otpp::call<bank::pay>(probe.server(), 1));
      code = static_cast<otpp::errc>(failure.code().value());
    };
    one.spawn("dropped", [&] { return pay(dropped); });
    co_await probe.expect_call<bank::pay>();
    otpp::errc taken{};
    one.spawn("taken", [&] { return pay(taken); });
    co_await probe.expect_any();
    one.spawn("ended", [&] { return pay(ended); });
    co_await otpp::cast<bank::note>(probe.server(), "no call");
    co_await failure_of(probe.expect_nothing(1s));
    co_await probe.server().stop();
    CHECK(dropped == otpp::errc::no_reply);
    CHECK(taken == otpp::errc::no_reply);
    CHECK(ended == otpp::errc::exited);
  });
}

TEST_CASE("probe: one that stands for no server takes any message, and a name that is taken is an error") {
  run([]() -> asio::awaitable<void> {
    auto probe = co_await start_probe(otpp::named("anybody"));
    co_await otpp::send<int>(probe.server(), 7);
    co_await otpp::send<std::string>("anybody", "by a string");
    int seven = co_await probe.expect<int>();
    CHECK(seven == 7);
    std::string text = co_await probe.expect<std::string>();
    CHECK(text == "by a string");
    otpp::error failure = co_await error_of(start_probe(otpp::named("anybody")));
    CHECK(failure.code() == otpp::errc::name_taken);
  });
}

TEST_CASE("probe: its context may be destroyed at any step") {
  std::size_t steps = abandon_at_every_step([]() -> asio::awaitable<void> {
    auto probe = co_await start_probe<bank>();
    co_await otpp::cast<bank::note>(probe.server(), "kept");
    co_await otpp::cast<bank::note>(probe.server(), "taken");
    co_await probe.expect<bank::note>();
    probe.on<bank::pay>([](bank::pay) { return true; });
    co_await otpp::call<bank::pay>(probe.server(), 1);
    co_await probe.server().stop();
  });
  CHECK(steps > 2);
}
