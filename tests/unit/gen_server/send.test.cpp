// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/send.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include <string>
#include <system_error>

namespace {

constexpr otpp::server_name<scribe> the_scribe{"send-scribe"};

asio::awaitable<void> send_one() {
  journal said;
  auto server = co_await otpp::start<scribe>(said);
  co_await otpp::send<scribe::note>(server, "a");
  co_await server.stop();
  CHECK(said.text() == "info-a terminate:normal");
}

} // namespace

TEST_CASE("send: every form reaches handle_info", "[send]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(otpp::named("send-scribe"), said);
    scribe::note three{"3"};
    co_await otpp::send<scribe::note>(server, "1");
    co_await otpp::send<scribe::note>(the_scribe, "2");
    co_await otpp::send("send-scribe", three);
    pending<> in_place;
    otpp::send<scribe::note>(server, "4", in_place.token());
    co_await in_place.get();
    pending<> made;
    otpp::send(server, three, made.token());
    co_await made.get();
    CHECK(otpp::try_send<scribe::note>(server, "5"));
    CHECK(otpp::try_send("send-scribe", three));
    co_await server.stop();
    CHECK(said.text() == "info-1 info-2 info-3 info-4 info-3 info-5 info-3 terminate:normal");
  });
}

TEST_CASE("send: leaves nothing behind wherever it ends", "[send]") {
  run(send_one);
  std::size_t steps = abandon_at_every_step(send_one);
  CHECK(steps > 1);
}

TEST_CASE("send: to nobody it is no_process, and try_send says false", "[send]") {
  run([]() -> asio::awaitable<void> {
    otpp::error error = co_await error_of(otpp::send<scribe::note>("send-nobody", "x"));
    CHECK(error.code() == otpp::errc::no_process);
    CHECK(std::string(error.what()).find("send-nobody") != std::string::npos);
    CHECK_FALSE(otpp::try_send<scribe::note>("send-nobody", "x"));
    auto server = co_await otpp::start<scribe>(journal());
    co_await server.stop();
    std::error_code code = co_await code_of(otpp::send<scribe::note>(server, "x"));
    CHECK(code == otpp::errc::no_process);
    CHECK_FALSE(otpp::try_send<scribe::note>(server, "x"));
  });
}

TEST_CASE("send: to a server whose context is gone it is no_process", "[send]") {
  journal said;
  auto body = [said]() -> asio::awaitable<otpp::server_ref<scribe>> {
    auto server = co_await otpp::start<scribe>(said);
    co_return server;
  };
  pending<otpp::server_ref<scribe>> started;
  {
    asio::io_context other;
    started = in_background(other.get_executor(), body());
    other.run();
    CHECK(started.is_done());
  }
  run([&]() -> asio::awaitable<void> {
    auto server = co_await started.get();
    CHECK(server.has_ended());
    std::error_code code = co_await code_of(otpp::send<scribe::note>(server, "x"));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::call<scribe::ask>(server, 1));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(server.stop());
    CHECK(code == otpp::errc::no_process);
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::killed());
    CHECK_FALSE(otpp::try_send<scribe::note>(server, "x"));
    CHECK(said.text().empty());
  });
}

TEST_CASE("send: a cast is no info, by name", "[send]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("send-counter"), 5);
    std::error_code code = co_await code_of(otpp::send<counter::set>("send-counter", 1));
    CHECK(code == otpp::errc::bad_message);
    co_await otpp::send<counter::reset>("send-counter");
    int count = co_await otpp::call<counter::get>(server);
    CHECK(count == 0);
    co_await server.stop();
  });
}
