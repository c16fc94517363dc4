// SPDX-License-Identifier: BSL-1.0

// Step 4 of docs/tutorial.md: a server that answers when the work is done, and goes on meanwhile.

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// [server]
struct build_queue {
  struct submit { std::string project; using reply_type = std::string; };
  struct count { using reply_type = int; };

  int init() { return 0; } // how many builds run

  void handle_call(submit request, otpp::caller<std::string> client, int& running) {
    ++running;
    otpp::co_spawn(build(request.project, std::move(client), running)); // belongs to this server
  }
  int handle_call(count, int& running) { return running; }
  // [server]

  // [build]
  static asio::awaitable<void> build(std::string project, otpp::caller<std::string> client, int& running) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer compiler(executor, project == "kernel" ? 60ms : 20ms); // stands for a compiler
    co_await compiler.async_wait(asio::use_awaitable);
    --running;
    client.reply(project + " is built");
  }
  // [build]
};

asio::awaitable<void> client() {
  auto queue = co_await otpp::start<build_queue>();

  // [client]
  auto kernel = otpp::send_request<build_queue::submit>(queue, "kernel"); // a call that does not wait yet
  auto shell = otpp::send_request<build_queue::submit>(queue, "shell");
  int running = co_await otpp::call<build_queue::count>(queue);
  std::cout << running << " builds run\n";

  std::string answer = co_await shell.receive();
  std::cout << answer << '\n';
  answer = co_await kernel.receive();
  std::cout << answer << '\n';
  // [client]
  co_await queue.stop();
}

int main() { return otpp::run(client); }

// Output:
// 2 builds run
// shell is built
// kernel is built
