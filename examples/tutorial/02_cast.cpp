// SPDX-License-Identifier: BSL-1.0

// Step 2 of docs/tutorial.md: messages that have no answer, and a state of several parts.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <string>
#include <vector>

struct build_queue {
  struct submit { std::string project; using reply_type = std::size_t; };
  // [server]
  struct cancel { std::string project; }; // without reply_type: nobody waits for an answer
  struct list { using reply_type = std::vector<std::string>; };

  struct state {
    std::vector<std::string> waiting;
    std::size_t cancelled = 0;
  };
  state init() { return {}; }

  void handle_cast(cancel request, state& s) { s.cancelled += std::erase(s.waiting, request.project); }
  std::vector<std::string> handle_call(list, state& s) { return s.waiting; }

  void terminate(const otpp::exit_reason& reason, state& s) { // runs when it ends, whatever the cause
    std::cout << "ended: " << reason << "; " << s.cancelled << " cancelled\n";
  }
  // [server]

  std::size_t handle_call(submit request, state& s) {
    s.waiting.push_back(request.project);
    return s.waiting.size();
  }
};

asio::awaitable<void> client() {
  auto queue = co_await otpp::start<build_queue>();
  for (std::string project : {"parser", "linker", "kernel"}) {
    co_await otpp::call<build_queue::submit>(queue, project);
  }
  // [client]
  co_await otpp::cast<build_queue::cancel>(queue, "linker"); // goes on when the mailbox has it
  auto waiting = co_await otpp::call<build_queue::list>(queue); // sent later, and so handled later
  // [client]
  for (const std::string& project : waiting) {
    std::cout << project << " waits\n";
  }
  co_await queue.stop();
}

int main() { return otpp::run(client); }

// Output:
// parser waits
// kernel waits
// ended: normal; 1 cancelled
