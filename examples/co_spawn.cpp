// SPDX-License-Identifier: BSL-1.0

// Work that belongs to a server: a coroutine that goes on beside the handlers, uses the
// state, and is over before the state is destroyed.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

// [sampler]
struct sampler {
  struct begin {};
  struct get { using reply_type = int; };

  otpp::init_result<int> init() { return otpp::init_result<int>(0).then(begin()); }
  // [sample]
  void handle_continue(begin, int& samples) { otpp::co_spawn(sample(samples)); } // ends with the server
  int handle_call(get, int& samples) { return samples; }

  static asio::awaitable<void> sample(int& samples) {
    auto executor = co_await asio::this_coro::executor; // the server's: never at the same time as a handler
    for (asio::steady_timer timer(executor);; ++samples) {
      timer.expires_after(1ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
  // [sample]

  // Nobody samples any more when this runs.
  void terminate(const otpp::exit_reason&, int& samples) {
    std::cout << (samples < 3 ? "too early\n" : "the last samples are saved\n");
  }
};
// [sampler]

asio::awaitable<void> client() {
  auto server = co_await otpp::start<sampler>();
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  int samples = 0;
  while (samples < 3) {
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
    samples = co_await otpp::call<sampler::get>(server); // it is handled between two samples
  }
  std::cout << "it samples\n";
  co_await server.stop();
}

int main() { return otpp::run(client()); }

// Output:
// it samples
// the last samples are saved
