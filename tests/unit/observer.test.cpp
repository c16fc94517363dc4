// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer.hpp>

#include <otpp/otpp.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address_v4.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>

#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

struct client {
  asio::io_context context;
  asio::ip::tcp::socket socket{context};
  std::string text;

  client(std::uint16_t port, const std::string& target) {
    socket.connect({asio::ip::address_v4::loopback(), port});
    const std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port) + "\r\n\r\n";
    asio::write(socket, asio::buffer(request));
  }

  std::string read_all() {
    std::error_code ended;
    asio::read(socket, asio::dynamic_buffer(text), ended);
    return text;
  }
  void read_until(std::string_view part) { asio::read_until(socket, asio::dynamic_buffer(text), part); }
};

std::string get(std::uint16_t port, const std::string& target) { return client(port, target).read_all(); }

bool is_said(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("observe: it says where, answers there, and ends with its handle", "[observer]") {
  std::string printed;
  otpp::observer watch;
  CHECK_FALSE(watch);
  {
    captured_stderr capture;
    watch = otpp::observe(otpp::observer_options().port(0));
    printed = capture.text();
  }
  CHECK(watch);
  CHECK(watch.url() == "http://127.0.0.1:" + std::to_string(watch.port()) + "/");
  CHECK(printed == "otpp: observer at " + watch.url() + "\n");
  CHECK(is_said(get(watch.port(), "/"), "<!doctype html>"));
  CHECK(is_said(get(watch.port(), "/api/v1/processes"), "\"rows\": []"));
  client open(watch.port(), "/api/v1/events");
  open.read_until("\r\n\r\n");
  const std::uint16_t port = watch.port();
  watch.stop();
  watch.stop();
  CHECK_FALSE(watch);
  open.read_all(); // was closed
  CHECK_FALSE(otpp::detail::is_counting());
  CHECK_THROWS_AS(client(port, "/"), std::system_error);
}

TEST_CASE("observe: a program that is stuck is seen", "[observer]") {
  struct stuck {
    struct block {
      std::shared_future<void> until;
    };
    int init() { return 0; }
    void handle_cast(const block& m, int&) { m.until.wait(); }
  };
  otpp::observer watch = otpp::observe(otpp::observer_options().port(0).quiet());
  asio::thread_pool one_thread(1);
  std::promise<void> end;
  otpp::options where = otpp::named("observed stuck").on(one_thread.get_executor());
  auto server = otpp::start<stuck>(where, asio::use_future).get();
  CHECK(otpp::try_cast<stuck::block>(server, end.get_future().share()));
  std::string seen;
  while (!is_said(seen, "stuck::block")) {
    seen = get(watch.port(), "/api/v1/processes?q=observed");
  }
  CHECK(is_said(seen, "\"name\": \"observed stuck\""));
  // A question that will not be answered holds nothing up, neither others nor the end.
  client unanswered(watch.port(), "/api/v1/status?id=" + std::to_string(server.id()));
  CHECK(is_said(get(watch.port(), "/top"), "observed stuck"));
  watch.stop();
  end.set_value();
  server.stop(asio::use_future).get();
  one_thread.join();
}

TEST_CASE("observe: a stream has the totals, at first at once", "[observer]") {
  otpp::observer watch = otpp::observe(otpp::observer_options().port(0).quiet());
  client open(watch.port(), "/api/v1/events");
  open.read_until("event: tick\ndata: {\"time\": ");
}

TEST_CASE("observe: where it cannot listen it says why", "[observer]") {
  otpp::observer first = otpp::observe(otpp::observer_options().port(0).quiet());
  std::string why;
  try {
    otpp::observer second = otpp::observe(otpp::observer_options().port(first.port()).quiet());
  } catch (const std::system_error& error) {
    CHECK(error.code() == asio::error::address_in_use);
    why = error.what();
  }
  CHECK(is_said(why, "observe: 127.0.0.1:" + std::to_string(first.port())));

  why.clear();
  try {
    otpp::observer open_to_all = otpp::observe(otpp::observer_options().port(0).address("0.0.0.0").quiet());
  } catch (const std::invalid_argument& error) {
    why = error.what();
  }
  CHECK(is_said(why, "allow_remote"));
  CHECK_THROWS_AS(otpp::observer_options().allow_remote(""), std::invalid_argument);
  CHECK_THROWS_AS(otpp::observer_options().address("localhost"), std::invalid_argument);

  otpp::observer_options remote = otpp::observer_options().port(0).allow_remote("secret").quiet();
  CHECK(remote.address() == asio::ip::address_v4::any());
  otpp::observer watch = otpp::observe(remote);
  CHECK(is_said(get(watch.port(), "/api"), " 401 "));
  CHECK(is_said(get(watch.port(), "/api?token=secret"), " 200 "));
}
