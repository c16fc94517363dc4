// SPDX-License-Identifier: BSL-1.0

// Step 9 of docs/tutorial.md: to see what a program does, and why something has crashed.

#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct build_queue {
  struct submit { std::string project; using reply_type = std::size_t; };

  std::vector<std::string> init() { return {}; }

  std::size_t handle_call(submit request, std::vector<std::string>& waiting) {
    if (request.project == "kernel") throw std::runtime_error("the disk is full");
    waiting.push_back(request.project);
    return waiting.size();
  }

  // [status]
  static std::string format_status(const std::vector<std::string>& waiting) { // the state, as reports show it
    return std::to_string(waiting.size()) + " wait";
  }
  // [status]
};
constexpr otpp::server_name<build_queue> builds{"builds"};

asio::awaitable<void> client() {
  auto tree = otpp::supervisor_spec().add(otpp::child<build_queue>("queue").named("builds"));
  auto top = co_await otpp::start_supervisor(tree);
  for (std::string project : {"parser", "linker"}) {
    co_await otpp::call<build_queue::submit>(builds, project);
  }

  // [look]
  std::string next = co_await otpp::inspect(
      builds, [](const std::vector<std::string>& waiting) { return waiting.front(); });
  std::cout << "next: " << next << '\n';
  for (const otpp::process_info& one : otpp::processes()) {
    std::cout << "lives: " << one.type << '\n';
  }
  // [look]

  try {
    co_await otpp::call<build_queue::submit>(builds, "kernel");
  } catch (const otpp::error&) { // the reports say more
  }
  co_await otpp::wait_for_name<build_queue>("builds", 1s);
  co_await top.stop();
}

// [reports]
void print_crash(const otpp::crash_report& report) {
  std::cout << "crash: " << report.reason << ", at " << report.message << ", state: " << report.state << '\n';
}
void print_failed_call(const otpp::failed_call& call) {
  std::cout << call.text() << '\n';
}

int main() {
  otpp::subscription crashes = otpp::subscribe<otpp::crash_report>(print_crash); // for as long as it lives
  otpp::subscription failures = otpp::subscribe<otpp::failed_call>(print_failed_call);
  return otpp::run(client);
}
// [reports]

// Output:
// next: parser
// lives: otpp::supervisor
// lives: build_queue
// crash: the disk is full, at build_queue::submit, state: 2 wait
// otpp: call of build_queue::submit at "builds" has failed: the server ended before it answered
