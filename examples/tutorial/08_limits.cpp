// SPDX-License-Identifier: BSL-1.0

// Step 8 of docs/tutorial.md: a server that refuses what is too much, and at SIGTERM finishes what it has.

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>
#include <otpp/supervisor.hpp>

#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct build_queue {
  struct submit { std::string project; using reply_type = std::string; };

  int init() { return 0; } // how many are built

  // [server]
  asio::awaitable<std::string> handle_call(submit request, int& done) { // the others wait meanwhile
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer compiler(executor, 20ms);
    co_await compiler.async_wait(asio::use_awaitable);
    ++done;
    co_return request.project + " is built";
  }
  void handle_info(otpp::draining, int&) { std::cout << "the queue closes\n"; }
  void terminate(const otpp::exit_reason& reason, int& done) {
    std::cout << "the queue has ended: " << reason << ", " << done << " built\n";
  }
  // [server]
};

asio::awaitable<void> client() {
  auto queue = co_await otpp::wait_for_name<build_queue>("builds");
  auto parser = otpp::send_request<build_queue::submit>(queue, "parser");
  auto linker = otpp::send_request<build_queue::submit>(queue, "linker");
  try {
    co_await otpp::call<build_queue::submit>(queue, "kernel");
  } catch (const otpp::error& error) {
    std::cout << "kernel: " << error.code().message() << '\n';
  }
  std::raise(SIGTERM); // as `kill` or an orchestrator does
  std::string answer = co_await parser.receive();
  std::cout << answer << '\n';
  answer = co_await linker.receive();
  std::cout << answer << '\n';
}

// [main]
int main() {
  auto tree = otpp::supervisor_spec()
                  .add(otpp::child("client", client).restart(otpp::temporary))
                  .add(otpp::child<build_queue>("builds") // the last to start is the first to end
                           .named("builds")
                           .mailbox_limit(2)
                           .when_full(otpp::overflow::refuse));
  return otpp::run(tree, otpp::run_options().drain(10s));
}
// [main]

// Output:
// kernel: the mailbox is full, and this sender cannot wait for room
// parser is built
// the queue closes
// the queue has ended: shutdown, 2 built
// linker is built
