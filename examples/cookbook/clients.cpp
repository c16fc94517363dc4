// SPDX-License-Identifier: BSL-1.0

// Clients of a server that fails now and then: one calls again, with longer and longer pauses; and a circuit
// breaker spares the server, and its own clients, the calls that would fail anyway.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <utility>

using namespace std::chrono_literals;

struct flaky {
  struct ask { using reply_type = int; };

  struct state { int fails; int calls = 0; };
  state init(int fails) { return {fails}; }
  otpp::outcome<int> handle_call(ask, state& s) {
    if (++s.calls <= s.fails) return otpp::fail("not yet");
    return s.calls;
  }
};

// [retry]
// Calls up to so many times, after pauses of 1 ms, 2 ms, 4 ms and so on. Throws what the last call threw.
// Only for requests that may be carried out twice: one that has timed out may have been.
template <class Message, class Address>
asio::awaitable<otpp::reply_t<Message>> call_again(Address to, Message message, int times) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  for (otpp::duration pause = 1ms;; pause *= 2) {
    try {
      otpp::reply_t<Message> reply = co_await otpp::call(to, message);
      co_return reply;
    } catch (const std::exception&) {
      if (--times == 0) throw;
    }
    timer.expires_after(pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}
// [retry]

// [breaker]
struct breaker {
  struct ask { using reply_type = int; };
  struct answered { otpp::caller<int> caller; std::exception_ptr error; int value; };
  struct try_again {};

  struct state { otpp::server_ref<flaky> server; int failures = 0; };
  static constexpr int limit = 3;

  state init(otpp::server_ref<flaky> server) { return {server}; }

  // Passes the call on without waiting for it; after three failures it answers by itself.
  void handle_call(ask, otpp::caller<int> caller, state& s) {
    if (s.failures >= limit) {
      caller.fail("the circuit is open");
      return;
    }
    otpp::pipe<breaker>(
        otpp::call<flaky::ask>(s.server),
        [caller = std::move(caller)](std::exception_ptr error, int value) mutable {
          return answered{std::move(caller), std::move(error), value};
        });
  }

  void handle_info(answered m, state& s) {
    s.failures = m.error ? s.failures + 1 : 0;
    if (s.failures == limit) otpp::send_after<try_again>(300ms, otpp::self<breaker>());
    m.error ? m.caller.fail(m.error) : m.caller.reply(m.value);
  }

  void handle_info(try_again, state& s) { s.failures = limit - 1; } // one more failure opens it again
};
// [breaker]

asio::awaitable<void> ask(otpp::server_ref<breaker> server) {
  try {
    int answer = co_await otpp::call<breaker::ask>(server);
    std::cout << answer << '\n';
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
  }
}

asio::awaitable<void> client() {
  auto executor = co_await asio::this_coro::executor;

  auto server = co_await otpp::start<flaky>(2);
  int calls = co_await call_again(server, flaky::ask(), 5);
  std::cout << "answered at call " << calls << '\n';

  auto other = co_await otpp::start<flaky>(3);
  auto guarded = co_await otpp::start<breaker>(other);
  for (int i = 0; i != 4; ++i) {
    co_await ask(guarded);
  }
  asio::steady_timer later(executor, 400ms);
  co_await later.async_wait(asio::use_awaitable);
  co_await ask(guarded);
}

int main() { return otpp::run(client); }

// Output:
// answered at call 3
// not yet
// not yet
// not yet
// the circuit is open
// 4
