// SPDX-License-Identifier: BSL-1.0

// Step 6 of docs/tutorial.md: a server that sends messages to itself, later. One build at a time, each within
// a limit. (There is a mistake in it, which step 10 finds.)

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>

#include <asio.hpp>
#include <chrono>
#include <deque>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

struct build_queue {
  struct submit { std::string project; using reply_type = std::string; };
  struct ended { std::string how; };

  struct job { std::string project; otpp::caller<std::string> client; };
  struct state {
    std::deque<job> jobs; // the first is being built
    otpp::timer_ref compiler, limit;
  };
  state init() { return {}; }

  void handle_call(submit request, otpp::caller<std::string> client, state& s) {
    s.jobs.push_back({request.project, std::move(client)});
    if (s.jobs.size() == 1) begin(s);
  }

  // [timers]
  static void begin(state& s) {
    otpp::duration time = s.jobs.front().project == "kernel" ? 10s : 20ms; // stands for a compiler
    s.compiler = otpp::send_after<ended>(time, otpp::self<build_queue>(), "is built");
    s.limit = otpp::send_after<ended>(100ms, otpp::self<build_queue>(), "takes too long");
  }
  // [timers]

  // [ended]
  otpp::outcome<> handle_info(ended message, state& s) {
    s.compiler.cancel(); // whichever of the two has not fired
    s.limit.cancel();
    if (!s.jobs.empty()) {
      s.jobs.front().client.reply(s.jobs.front().project + ' ' + message.how);
      s.jobs.pop_front();
    }
    if (s.jobs.empty()) return otpp::outcome<>().timeout(50ms); // unless another message comes
    begin(s);
    return {};
  }
  otpp::outcome<> handle_info(otpp::timeout, state&) { return otpp::stop(); }
  // [ended]
};

asio::awaitable<void> client() {
  auto queue = co_await otpp::start<build_queue>();
  auto shell = otpp::send_request<build_queue::submit>(queue, "shell");
  auto kernel = otpp::send_request<build_queue::submit>(queue, "kernel");

  std::string answer = co_await shell.receive();
  std::cout << answer << '\n';
  answer = co_await kernel.receive();
  std::cout << answer << '\n';
  otpp::exit_reason reason = co_await queue.join(); // waits for its end
  std::cout << "nothing to do: " << reason << '\n';
}

int main() { return otpp::run(client); }

// Output:
// shell is built
// kernel takes too long
// nothing to do: normal
