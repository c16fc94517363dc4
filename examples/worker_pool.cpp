// SPDX-License-Identifier: BSL-1.0

// Jobs, each in a worker of its own, on a pool of threads. A dynamic supervisor has
// them: no more than three at a time; one that fails is forgotten, and hurts nobody.
// pool.cpp shows the other way: a fixed number of workers, behind one address.

#include <otpp/otpp.hpp>
#include <otpp/supervisor/dynamic_supervisor.hpp>

#include <asio.hpp>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// [worker]
struct worker {
  struct result { using reply_type = int; };

  // The argument cannot be copied: a temporary child is started once, and takes it.
  std::unique_ptr<int> init(std::unique_ptr<int> number) { return number; }

  otpp::outcome<int> handle_call(result, std::unique_ptr<int>& number) {
    if (*number == 13) throw std::runtime_error("13 is too much");
    return otpp::stop(otpp::exit_reason::normal(), *number * *number);
  }
};
// [worker]

// [pool]
asio::awaitable<void> square(
    otpp::server_ref<otpp::dynamic_supervisor> pool, asio::any_io_executor where, int n) {
  otpp::child_spec job = otpp::temporary_child<worker>("job", std::make_unique<int>(n)).on(where);
  otpp::pid started = co_await otpp::start_child(pool, job);
  try {
    int result = co_await otpp::call<worker::result>(*started.as<worker>());
    std::cout << n << " squared is " << result << '\n';
  } catch (const otpp::error& error) {
    std::cout << n << " failed: " << error.reason() << '\n';
  }
  co_await started.join(); // then its supervisor has been told too, and there is room for another
}

asio::awaitable<void> client(asio::any_io_executor where) {
  auto pool = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().max_children(3));
  for (int n : {3, 13, 4}) {
    co_await square(pool, where, n);
  }

  std::vector<otpp::pid> idle;
  std::string refused;
  try {
    while (true) {
      otpp::child_spec job = otpp::temporary_child<worker>("job", std::make_unique<int>(5)).on(where);
      otpp::pid started = co_await otpp::start_child(pool, job);
      idle.push_back(started);
    }
  } catch (const otpp::error& error) {
    refused = error.code().message();
  }
  otpp::child_counts counts = co_await otpp::count_children(pool);
  std::cout << counts.active << " are idle; another: " << refused << '\n';
  co_await pool.stop(); // and all of them at once
  std::cout << "ended: " << idle[0].has_ended() << idle[1].has_ended() << idle[2].has_ended() << '\n';
}
// [pool]

int main() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  otpp::subscription no_reports = otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
  asio::thread_pool threads(2);
  int status = otpp::run(client(threads.get_executor()));
  threads.join();
  return status;
}

// Output:
// 3 squared is 9
// 13 failed: 13 is too much
// 4 squared is 16
// 3 are idle; another: the supervisor has as many children as it may have
// ended: 111
