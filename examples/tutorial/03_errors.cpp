// SPDX-License-Identifier: BSL-1.0

// Step 3 of docs/tutorial.md: a call always completes, if need be with an error.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct build_queue {
  struct submit { std::string project; using reply_type = std::size_t; };
  struct build { using reply_type = std::string; };

  std::vector<std::string> init() { return {}; }

  // [server]
  otpp::outcome<std::size_t> handle_call(submit request, std::vector<std::string>& waiting) {
    if (request.project.empty()) return otpp::fail("a project needs a name"); // the server goes on
    if (waiting.size() == 2) throw std::runtime_error("the disk is full"); // it ends
    waiting.push_back(request.project);
    return waiting.size();
  }
  // [server]

  asio::awaitable<std::string> handle_call(build, std::vector<std::string>&) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer compiler(executor, 300ms);
    co_await compiler.async_wait(asio::use_awaitable);
    co_return "built";
  }
};

// [client]
asio::awaitable<void> submit(otpp::server_ref<build_queue> queue, std::string project) {
  try {
    std::size_t place = co_await otpp::call<build_queue::submit>(queue, project);
    std::cout << project << " is number " << place << '\n';
  } catch (const otpp::error& error) { // from the library; error.code() is an otpp::errc
    std::cout << project << ": " << error.code().message() << '\n';
    if (error.code() == otpp::errc::exited) std::cout << "  because " << error.reason() << '\n';
  } catch (const std::exception& error) { // from the handler
    std::cout << "refused: " << error.what() << '\n';
  }
}
// [client]

asio::awaitable<void> client() {
  auto queue = co_await otpp::start<build_queue>();
  for (std::string project : {"parser", "", "linker", "kernel", "shell"}) {
    co_await submit(queue, project);
  }

  auto slow = co_await otpp::start<build_queue>();
  try {
    // [timeout]
    co_await otpp::call_for<build_queue::build>(slow, 20ms); // it takes 300 ms
    // [timeout]
  } catch (const otpp::error& error) {
    std::cout << "build: " << error.code().message() << '\n';
  }
}

int main() { return otpp::run(client); }

// Output:
// parser is number 1
// refused: a project needs a name
// linker is number 2
// kernel: the server ended before it answered
//   because the disk is full
// shell: no such server: it was never started, or it has ended
// build: no answer in time; the server may still handle the request, and its answer is dropped
