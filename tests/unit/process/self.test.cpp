// SPDX-License-Identifier: BSL-1.0

#include <otpp/process/self.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace {

std::error_code self_elsewhere() {
  try {
    otpp::self<counter>();
  } catch (const otpp::error& error) {
    return error.code();
  }
  return {};
}

struct thinker {
  struct ask {
    using reply_type = std::uint64_t;
  };
  struct ask_later {
    using reply_type = std::uint64_t;
  };
  struct ask_as_another {
    using reply_type = std::error_code;
  };
  struct note {};
  using log = std::shared_ptr<std::uint64_t>;

  struct state {
    std::uint64_t in_init;
    log at_end;
  };
  state init(log at_end) { return state{otpp::self<thinker>().id(), std::move(at_end)}; }
  std::uint64_t handle_call(ask, state& s) { return otpp::self<thinker>().id() == s.in_init ? s.in_init : 0; }
  asio::awaitable<std::uint64_t> handle_call(ask_later, state&) {
    co_await asio::post(asio::use_awaitable);
    co_await asio::post(asio::use_awaitable);
    std::uint64_t id = otpp::self<thinker>().id();
    co_return id;
  }
  std::error_code handle_call(ask_as_another, state&) { return self_elsewhere(); }
  void terminate(const otpp::exit_reason&, state& s) { *s.at_end = otpp::self<thinker>().id(); }
};

} // namespace

TEST_CASE("self: is the server whose callback runs, in every callback", "[self]") {
  run([]() -> asio::awaitable<void> {
    auto at_end = std::make_shared<std::uint64_t>(0);
    auto first = co_await otpp::start<thinker>(at_end);
    auto second = co_await otpp::start<thinker>(std::make_shared<std::uint64_t>(0));
    for (const auto& server : {first, second}) {
      std::uint64_t id = co_await otpp::call<thinker::ask>(server);
      CHECK(id == server.id());
      id = co_await otpp::call<thinker::ask_later>(server);
      CHECK(id == server.id());
    }
    co_await first.stop();
    CHECK(*at_end == first.id());
    co_await second.stop();
  });
}

TEST_CASE("self: is an error elsewhere, and in another server", "[self]") {
  CHECK(self_elsewhere() == otpp::errc::no_process);
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<thinker>(std::make_shared<std::uint64_t>(0));
    std::error_code error = co_await otpp::call<thinker::ask_as_another>(server);
    CHECK(error == otpp::errc::no_process);
    CHECK(self_elsewhere() == otpp::errc::no_process); // also right after a call
    co_await server.stop();
  });
}
