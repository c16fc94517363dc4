// SPDX-License-Identifier: BSL-1.0

// The counter by name: typed names and strings, more than one name, names that are taken,
// and a registry of one's own.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <optional>

using namespace std::chrono_literals;

// [counter]
struct counter {
  struct get { using reply_type = int; };
  struct add { int n; using reply_type = int; };

  // What may be sent by those who know no more than a string.
  using messages = otpp::message_list<get, add>;

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};
// [counter]

// [client]
constexpr otpp::server_name<counter> visitors{"visitors"};

asio::awaitable<void> client() {
  auto server = co_await otpp::start<counter>(otpp::named("visitors"), 0);

  co_await otpp::call<counter::add>(server, 1);     // this server
  co_await otpp::call<counter::add>(visitors, 1);   // whichever has the name; checked when compiled
  co_await otpp::call<counter::add>("visitors", 1); // whichever has the name; checked when run

  otpp::register_name("guests", server); // one more name
  int count = co_await otpp::call<counter::get>("guests");
  std::cout << "count: " << count << '\n';

  try {
    co_await otpp::start<counter>(otpp::named("visitors"), 0);
  } catch (const otpp::error& error) {
    std::cout << "start again: " << error.code().message() << '\n';
  }

  co_await server.stop(); // both names are free
  std::optional<otpp::server_ref<counter>> found = otpp::whereis<counter>("visitors");
  std::cout << "after the end: " << (found ? "found" : "nobody") << '\n';
}
// [client]

// [registry]
asio::awaitable<void> with_another_registry() {
  otpp::registry names;
  auto server = co_await otpp::start<counter>(otpp::named("visitors").in(names), 100);

  auto found = co_await otpp::wait_for_name<counter>("visitors", 1s, names);
  int count = co_await otpp::call<counter::get>(otpp::server_name<counter>("visitors", names));
  std::cout << "in the other registry: " << count << (found == server ? ", the same server\n" : "\n");
  co_await server.stop();
}
// [registry]

asio::awaitable<void> both() {
  co_await client();
  co_await with_another_registry();
}

int main() { return otpp::run(both); }

// Output:
// count: 3
// start again: another server has that name
// after the end: nobody
// in the other registry: 100, the same server
