// SPDX-License-Identifier: BSL-1.0

// A limit for what is in flight: a server that works on several requests at a time, but
// on no more than so many. A request beyond that is refused at once.

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>

#include <asio.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// [fetcher]
struct fetcher {
  struct page { int number; using reply_type = std::string; };

  struct state {
    int most;
    int in_flight = 0;
  };

  state init(int most) { return {most}; }

  // Returns at once, so that the next request is looked at while this one is worked on.
  void handle_call(page request, otpp::caller<std::string> from, state& s) {
    if (s.in_flight == s.most) {
      from.fail("busy");
      return;
    }
    ++s.in_flight;
    otpp::co_spawn(fetch(request.number, std::move(from), s)); // ends with the server
  }

  static asio::awaitable<void> fetch(int number, otpp::caller<std::string> from, state& s) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer far_away(executor, 20ms);
    co_await far_away.async_wait(asio::use_awaitable);
    --s.in_flight;
    from.reply("page " + std::to_string(number));
  }
};
// [fetcher]

// [client]
asio::awaitable<void> client() {
  auto server = co_await otpp::start<fetcher>(2);

  // Three at once.
  auto one = otpp::send_request<fetcher::page>(server, 1);
  auto two = otpp::send_request<fetcher::page>(server, 2);
  try {
    co_await otpp::call<fetcher::page>(server, 3);
  } catch (const std::exception& error) {
    std::cout << "page 3: " << error.what() << '\n';
  }
  std::string first = co_await one.wait();
  std::string second = co_await two.wait();
  std::cout << first << ", " << second << '\n';

  auto again = co_await otpp::call<fetcher::page>(server, 3);
  std::cout << again << '\n';
  co_await server.stop();
}
// [client]

int main() { return otpp::run(client); }

// Output:
// page 3: busy
// page 1, page 2
// page 3
