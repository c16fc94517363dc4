// SPDX-License-Identifier: BSL-1.0

// Several counters at once: one question to all of them, requests whose answers are taken
// later, and a look into a counter that runs.

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>
#include <otpp/sys.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct counter {
  struct get { using reply_type = int; };
  struct add { int n; using reply_type = int; };

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};

// [multi_call]
asio::awaitable<void> ask_all(std::vector<otpp::server_ref<counter>> counters) {
  auto answers = co_await otpp::multi_call<counter::add>(counters, 1s, 5);
  for (const auto& answer : answers) {
    std::cout << (answer.has_value() ? std::to_string(answer.value()) : "no answer") << '\n';
  }
}
// [multi_call]

// [requests]
asio::awaitable<void> ask_each(std::vector<otpp::server_ref<counter>> counters) {
  otpp::request_set<std::string, int> requests; // labels are strings, answers are ints
  for (std::size_t i = 0; i < counters.size(); ++i) {
    requests.add("counter " + std::to_string(i), otpp::send_request<counter::get>(counters[i]));
  }
  int sum = 0;
  while (!requests.empty()) {
    auto next = co_await requests.next(1s); // whichever is answered next
    if (next.answer.has_value()) {
      sum += next.answer.value();
    } else {
      std::cout << next.label << " has not answered\n";
    }
  }
  std::cout << "sum: " << sum << '\n';
}
// [requests]

// [inspect]
asio::awaitable<void> look_into(otpp::server_ref<counter> server) {
  bool is_even = co_await otpp::inspect(server, [](const int& count) { return count % 2 == 0; });
  std::cout << (is_even ? "even" : "odd") << '\n';
  for (const otpp::process_info& one : otpp::processes()) std::cout << one.type << '\n';
}
// [inspect]

asio::awaitable<void> client() {
  std::vector<otpp::server_ref<counter>> counters;
  for (int start : {10, 20, 30}) {
    auto server = co_await otpp::start<counter>(start);
    counters.push_back(server);
  }
  co_await ask_all(counters);
  co_await counters[1].stop();
  co_await ask_each(counters);
  co_await look_into(counters[2]);
}

int main() { return otpp::run(client); }

// Output:
// 15
// 25
// 35
// counter 1 has not answered
// sum: 50
// odd
// counter
// counter
