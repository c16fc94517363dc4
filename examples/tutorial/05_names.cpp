// SPDX-License-Identifier: BSL-1.0

// Step 5 of docs/tutorial.md: a server that is known by its name.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <string>
#include <vector>

struct build_queue {
  struct submit { std::string project; using reply_type = std::size_t; };
  // [messages]
  using messages = otpp::message_list<submit>; // what a bare string may be sent
  // [messages]

  std::vector<std::string> init() { return {}; }

  std::size_t handle_call(submit request, std::vector<std::string>& waiting) {
    waiting.push_back(request.project);
    return waiting.size();
  }
};

// [name]
constexpr otpp::server_name<build_queue> builds{"builds"};

asio::awaitable<void> commit(std::string project) { // knows nobody who has started the server
  std::size_t place = co_await otpp::call<build_queue::submit>(builds, project);
  std::cout << project << " is number " << place << '\n';
}
// [name]

asio::awaitable<void> client() {
  // [client]
  auto queue = co_await otpp::start<build_queue>(otpp::named("builds"));
  co_await commit("parser");
  std::size_t place = co_await otpp::call<build_queue::submit>("builds", "linker"); // a string will do
  // [client]
  std::cout << "linker is number " << place << '\n';

  try {
    co_await otpp::start<build_queue>(otpp::named("builds"));
  } catch (const otpp::error& error) {
    std::cout << error.what() << '\n';
  }
  co_await queue.stop(); // from now on the name is free
  try {
    co_await commit("kernel");
  } catch (const otpp::error& error) {
    std::cout << error.what() << '\n';
  }
}

int main() { return otpp::run(client); }

// Output:
// parser is number 1
// linker is number 2
// otpp: registering at "builds": another server has that name
// otpp: call of build_queue::submit at "builds": no such server: it was never started, or it has ended
