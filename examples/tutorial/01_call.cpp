// SPDX-License-Identifier: BSL-1.0

// Step 1 of docs/tutorial.md: a server that is asked.

// [program]
#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <string>
#include <vector>

struct build_queue {
  struct submit { std::string project; using reply_type = std::size_t; }; // a message, and its answer's type

  std::vector<std::string> init() { return {}; } // makes the state: the projects that wait

  std::size_t handle_call(submit request, std::vector<std::string>& waiting) {
    waiting.push_back(request.project);
    return waiting.size(); // the answer: its place in the line
  }
};

asio::awaitable<void> client() {
  auto queue = co_await otpp::start<build_queue>();

  for (std::string project : {"parser", "linker"}) {
    std::size_t place = co_await otpp::call<build_queue::submit>(queue, project);
    std::cout << project << " is number " << place << '\n';
  }
  co_await queue.stop();
}

int main() { return otpp::run(client); }
// [program]

// Output:
// parser is number 1
// linker is number 2
