// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/trace_event.hpp>

#include <otpp/otpp.hpp>
#include <otpp/sys.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using kind = otpp::trace_event::kind;

// An event whose texts last.
struct kept {
  otpp::trace_event event;
  std::string server;
  std::string message;
};

class recorder {
 public:
  std::vector<kept> of(std::uint64_t id) const {
    std::vector<kept> result;
    std::copy_if(all_.begin(), all_.end(), std::back_inserter(result), [&](const kept& one) {
      return one.event.id == id;
    });
    return result;
  }

 private:
  std::vector<kept> all_;
  otpp::subscription listening_ = otpp::subscribe<otpp::trace_event>([this](const otpp::trace_event& one) {
    all_.push_back({one, std::string(one.server), std::string(one.message)});
  });
};

std::vector<kind> kinds(const std::vector<kept>& list) {
  std::vector<kind> result;
  for (const kept& one : list) {
    result.push_back(one.event.what);
  }
  return result;
}

struct leaf {
  struct ask {
    event until;
    using reply_type = int;
  };
  int init() { return 0; }
  asio::awaitable<int> handle_call(ask m, int& n) {
    co_await m.until.wait();
    co_return ++n;
  }
};

struct root {
  struct pass {
    otpp::server_ref<leaf> to;
    event until;
  };
  struct fall {};
  int init() { return 0; }
  asio::awaitable<void> handle_cast(pass m, int& n) { n = co_await otpp::call<leaf::ask>(m.to, m.until); }
  void handle_cast(fall, int&) { throw std::runtime_error("fell"); }
};

} // namespace

TEST_CASE("trace_event: who subscribes hears of all messages, from whom, and how long each took") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<root>(otpp::named("first"));
    auto second = co_await otpp::start<leaf>();
    recorder seen;
    event go_on;
    root::pass message{second, go_on};
    const std::uint32_t line = __LINE__ + 1;
    co_await otpp::cast(first, message);
    co_await until([&] { return go_on.is_awaited(); });
    go_on.happen();
    co_await otpp::inspect(first, [](int) {}); // of the library: not traced

    std::vector<kept> at_first = seen.of(first.id());
    REQUIRE(kinds(at_first) == std::vector{kind::sent, kind::received, kind::handled});
    CHECK(at_first[0].server == "\"first\"");
    CHECK(at_first[0].message == otpp::detail::type_name<root::pass>());
    CHECK(at_first[0].event.where.line() == line);
    CHECK(at_first[0].event.from == 0); // this coroutine is no process
    std::vector<kept> at_second = seen.of(second.id());
    REQUIRE(kinds(at_second) == std::vector{kind::sent, kind::received, kind::replied, kind::handled});
    CHECK_FALSE(at_first[2].event.is_call);
    for (const kept& one : at_first) {
      CHECK(one.event.type == otpp::detail::type_name<root>());
    }
    for (const kept& one : at_second) {
      CHECK(one.event.type == otpp::detail::type_name<leaf>());
      CHECK(one.event.is_call);
      CHECK(one.event.from == first.id());
      CHECK(one.event.sequence == at_first[0].event.sequence + 1);
      CHECK(one.message == otpp::detail::type_name<leaf::ask>());
    }
    const otpp::trace_event& inner = at_second[3].event;
    const otpp::trace_event& outer = at_first[2].event;
    CHECK(inner.time == at_second[1].event.time + inner.ran);
    CHECK(inner.waited == at_second[1].event.time - at_second[0].event.time);
    CHECK(outer.ran >= inner.ran);
    CHECK(outer.reason.is_clean());
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("trace_event: what is captured travels with the message, and with what its handler sends") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<root>();
    auto second = co_await otpp::start<leaf>();
    recorder seen;
    int spans = 0;
    otpp::subscription capture =
        otpp::subscribe<otpp::trace_capture>([&](const otpp::trace_capture& message) {
          auto parent = std::static_pointer_cast<const std::string>(message.event.context);
          message.keep(
              std::make_shared<const std::string>((parent ? *parent + "." : "") + std::to_string(++spans)));
        });
    event go_on;
    go_on.happen();
    co_await otpp::cast<root::pass>(first, second, go_on);
    co_await until([&] { return seen.of(first.id()).size() == 3; });
    auto context_of = [](const kept& one) {
      return *std::static_pointer_cast<const std::string>(one.event.context);
    };
    for (const kept& one : seen.of(first.id())) {
      CHECK(context_of(one) == "1");
    }
    for (const kept& one : seen.of(second.id())) {
      CHECK(context_of(one) == "1.2");
    }
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("trace_event: the handler that ends its server says why, and the end follows") {
  crash_log no_lines;
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<root>();
    recorder seen;
    co_await otpp::cast<root::fall>(first);
    co_await first.join();
    std::vector<kept> all = seen.of(first.id());
    REQUIRE(kinds(all) == std::vector{kind::sent, kind::received, kind::handled, kind::ended});
    CHECK(all[2].event.reason.message().find("fell") != std::string::npos);
    CHECK(all[3].event.reason.message().find("fell") != std::string::npos);
    CHECK(all[3].event.sequence == 0);
  });
}

TEST_CASE("trace_event: a message that was sent before is received without a number") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<root>();
    auto second = co_await otpp::start<leaf>();
    event go_on;
    go_on.happen();
    otpp::try_cast<root::pass>(first, second, go_on);
    recorder seen;
    co_await until([&] { return seen.of(first.id()).size() == 2; });
    std::vector<kept> all = seen.of(first.id());
    CHECK(kinds(all) == std::vector{kind::received, kind::handled});
    CHECK(all[0].event.sequence == 0);
    CHECK(all[0].event.waited == otpp::duration::zero());
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("trace_event: a message that waits for room is sent once") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<leaf>();
    auto full = co_await otpp::start<root>(otpp::options().mailbox_limit(1));
    event go_on;
    co_await otpp::cast<root::pass>(full, server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(otpp::try_cast<root::pass>(full, server, go_on)); // fills it
    recorder seen;
    go_on.happen();
    co_await otpp::cast<root::pass>(full, server, go_on);
    co_await otpp::inspect(full, [](int) {});
    std::vector<kept> all = seen.of(full.id());
    CHECK(std::count_if(all.begin(), all.end(), [](const kept& one) {
            return one.event.what == kind::sent;
          }) == 1);
    co_await until([&] { return seen.of(full.id()).size() >= 4; });
    CHECK(seen.of(full.id()).front().event.sequence == seen.of(full.id()).back().event.sequence);
    co_await full.stop();
    co_await server.stop();
  });
}

TEST_CASE("trace_event: what a tracer sends is not traced") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<root>();
    auto second = co_await otpp::start<leaf>();
    event go_on;
    go_on.happen();
    int sent = 0;
    otpp::subscription tracer = otpp::subscribe<otpp::trace_event>([&](const otpp::trace_event& one) {
      if (one.what == kind::sent) {
        ++sent;
        otpp::try_cast<root::pass>(first, second, go_on);
      }
    });
    co_await otpp::cast<root::pass>(first, second, go_on);
    CHECK(sent == 1);
    tracer.end();
    co_await first.stop();
    co_await second.stop();
  });
}
