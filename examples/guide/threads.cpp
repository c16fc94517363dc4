// SPDX-License-Identifier: BSL-1.0

// The counter on a pool of threads, used without coroutines: a plain thread blocks on
// futures, and a callback is called with the answer.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <exception>
#include <future>
#include <iostream>
#include <vector>

struct counter {
  struct get { using reply_type = int; };
  struct add { int n; using reply_type = int; };

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};

// [main]
int main() {
  asio::thread_pool pool(4);
  auto where = otpp::options().on(pool.get_executor()).mailbox_limit(1000);
  auto server = otpp::start<counter>(where, 0, asio::use_future).get();

  // From any thread, and without a lock: the handlers run one at a time.
  std::vector<std::future<int>> answers;
  for (int i = 0; i < 100; ++i) {
    answers.push_back(otpp::call<counter::add>(server, 1, asio::use_future));
  }
  for (std::future<int>& answer : answers) answer.get();

  std::promise<int> count;
  otpp::call<counter::get>(server, [&](std::exception_ptr error, int value) {
    if (error) {
      count.set_exception(error);
    } else {
      count.set_value(value);
    }
  });
  std::cout << "count: " << count.get_future().get() << '\n';

  server.stop(asio::use_future).get();
  pool.join();
}
// [main]

// Output:
// count: 100
