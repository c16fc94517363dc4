// SPDX-License-Identifier: BSL-1.0

// Step 10 of docs/tutorial.md: a test in every order of events, which finds the mistake of step 6.

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>
#include <otpp/testing.hpp>

#include <asio.hpp>
#include <chrono>
#include <deque>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

template <bool IsMended>
struct build_queue {
  struct submit { std::string project; using reply_type = std::string; };
  struct ended { int build; std::string how; };

  struct job { std::string project; otpp::caller<std::string> client; };
  struct state {
    std::deque<job> jobs; // the first is being built
    int build = 0;        // its number
    otpp::timer_ref compiler, limit;
  };
  state init() { return {}; }

  void handle_call(submit request, otpp::caller<std::string> client, state& s) {
    s.jobs.push_back({request.project, std::move(client)});
    if (s.jobs.size() == 1) begin(s);
  }

  static void begin(state& s) {
    s.compiler = otpp::send_after<ended>(20min, otpp::self<build_queue>(), s.build, "is built");
    s.limit = otpp::send_after<ended>(1h, otpp::self<build_queue>(), s.build, "takes too long");
  }

  // [mended]
  void handle_info(ended message, state& s) {
    if (IsMended && message.build != s.build) return; // of a build that is over
    ++s.build;
    // [mended]
    s.compiler.cancel();
    s.limit.cancel();
    if (s.jobs.empty()) return;
    s.jobs.front().client.reply(s.jobs.front().project + ' ' + message.how);
    s.jobs.pop_front();
    if (!s.jobs.empty()) begin(s);
  }
};

// [scenario]
template <class Queue>
asio::awaitable<void> two_builds(otpp::testing::world& world) {
  auto queue = co_await otpp::start<Queue>();
  auto parser = otpp::send_request<typename Queue::submit>(queue, "parser");
  auto linker = otpp::send_request<typename Queue::submit>(queue, "linker");
  std::string answer = co_await parser.receive(otpp::infinite);
  world.check(answer == "parser is built", answer.c_str());
  answer = co_await linker.receive(otpp::infinite);
  world.check(answer == "linker is built", answer.c_str());
}
// [scenario]

template <class Queue>
void test(const std::string& name, otpp::testing::orders orders) {
  try {
    // [explore]
    otpp::testing::explore(orders, [](otpp::testing::world& world) {
      world.spawn("client", [&] { return two_builds<Queue>(world); });
    });
    // [explore]
    std::cout << name << ": passed\n";
  } catch (const otpp::testing::exploration_failed& failure) {
    std::string text = failure.what(); // its first line says what failed
    std::cout << name << ": " << text.substr(0, text.find('\n')) << '\n';
  }
}

// [main]
int main() {
  test<build_queue<false>>("the usual order", otpp::testing::orders::fifo());
  test<build_queue<false>>("every order", otpp::testing::orders::all(2));
  test<build_queue<true>>("mended, every order", otpp::testing::orders::all(2));
}
// [main]

// Output:
// the usual order: passed
// every order: linker takes too long
// mended, every order: passed
