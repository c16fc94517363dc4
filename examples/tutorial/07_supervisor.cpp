// SPDX-License-Identifier: BSL-1.0

// Step 7 of docs/tutorial.md: a server that crashes is started again; what must stay is in another one.

#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct build_log {
  struct add { std::string line; };
  struct read { using reply_type = std::vector<std::string>; };

  std::vector<std::string> init() { return {}; }
  void handle_cast(add message, std::vector<std::string>& lines) { lines.push_back(message.line); }
  std::vector<std::string> handle_call(read, std::vector<std::string>& lines) { return lines; }
};
constexpr otpp::server_name<build_log> the_log{"log"};

// [agent]
struct agent { // builds, and may crash
  struct build { std::string project; using reply_type = int; };

  int init() {
    std::cout << "an agent starts\n";
    return 0;
  }
  asio::awaitable<int> handle_call(build request, int& done) {
    if (request.project == "kernel") throw std::runtime_error("internal compiler error");
    co_await otpp::cast<build_log::add>(the_log, request.project);
    co_return ++done;
  }
};
constexpr otpp::server_name<agent> the_agent{"agent"};
// [agent]

asio::awaitable<void> build(std::string project) {
  try {
    int number = co_await otpp::call<agent::build>(the_agent, project);
    std::cout << project << " is built, number " << number << '\n';
  } catch (const otpp::error& error) {
    std::cout << project << ": " << error.reason() << '\n';
  }
}

asio::awaitable<void> client() {
  // [tree]
  otpp::supervisor_spec tree = otpp::supervisor_spec(otpp::one_for_one) // a crash is the affair of one child
                                   .intensity(3, 10s)
                                   .add(otpp::child<build_log>("log").named("log"))
                                   .add(otpp::child<agent>("agent").named("agent"));
  auto top = co_await otpp::start_supervisor(tree);
  for (std::string project : {"parser", "linker", "kernel", "shell"}) {
    co_await otpp::wait_for_name<agent>("agent", 1s); // while one ends and the next starts, there is none
    co_await build(project);
  }
  // [tree]
  auto lines = co_await otpp::call<build_log::read>(the_log);
  std::cout << "the log has " << lines.size() << " lines\n";
  co_await top.stop(); // and its children
}

int main() { return otpp::run(client); }

// Output:
// an agent starts
// parser is built, number 1
// linker is built, number 2
// kernel: internal compiler error
// an agent starts
// shell is built, number 1
// the log has 3 lines
