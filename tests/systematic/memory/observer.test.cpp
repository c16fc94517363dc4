// SPDX-License-Identifier: BSL-1.0

// The observer's listener while memory runs out: whatever fails, later connections are accepted.

#include <otpp/observer/detail/http_listener.hpp>

#include "failing_memory.hpp"

#include "support/catch.hpp"

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address_v4.hpp>
#include <asio/ip/tcp.hpp>

#include <chrono>
#include <new>
#include <system_error>

using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

const tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);

asio::awaitable<otpp::detail::http_response> site(otpp::detail::http_request) {
  co_return otpp::detail::http_response();
}

// Runs what is ready, as the observer's thread does.
void step(otpp::detail::http_listener& listener, asio::io_context& context) {
  try {
    listener.resume();
    context.restart();
    context.run_for(1ms);
  } catch (const std::bad_alloc&) {
  }
}

// Connects, and returns true if the listener has accepted that: it closes the connection at once.
bool is_accepted(otpp::detail::http_listener& listener, asio::io_context& context) {
  asio::io_context elsewhere(1);
  tcp::socket client(elsewhere);
  client.connect(listener.local_endpoint());
  client.non_blocking(true);
  char byte = 0;
  std::error_code error = asio::error::would_block;
  for (int n = 0; n != 2000 && error == asio::error::would_block; ++n) {
    step(listener, context);
    client.read_some(asio::buffer(&byte, 1), error);
  }
  return error == asio::error::eof || error == asio::error::connection_reset;
}

void accept_without_memory() {
  asio::io_context context(1);
  otpp::detail::http_limits limits;
  limits.connections = 0; // no coroutine is made: without memory Asio's end the program
  otpp::detail::http_listener listener(context, any_port, "", site, limits);
  {
    asio::io_context elsewhere(1);
    tcp::socket client(elsewhere);
    client.connect(listener.local_endpoint());
    const failing_memory::armed from_here;
    for (int n = 0; n != 3; ++n) {
      step(listener, context);
    }
  }
  failing_memory::expect(is_accepted(listener, context), "it accepts no more");
  listener.stop();
  context.restart();
  context.poll();
}

} // namespace

TEST_CASE("memory: the observer's listener accepts again", "[memory]") {
  CHECK(failing_memory::fail_at_every_index(&accept_without_memory) > 0);
}
