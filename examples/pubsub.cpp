// SPDX-License-Identifier: BSL-1.0

// Publish and subscribe: readers join the groups of their subjects, and a publisher need not know them. Who
// watches a group is told of each who comes and goes; a reader that ends has left by itself.

#include <otpp/otpp.hpp>
#include <otpp/registry/pg.hpp>

#include <asio/awaitable.hpp>

#include <iostream>
#include <string>

struct article {
  std::string title;
};

struct reader {
  using messages = otpp::message_list<article>;

  std::string init(std::string name, std::string subject) {
    otpp::pg::global().join(subject, otpp::self<reader>());
    return name;
  }
  void handle_cast(article news, std::string& name) {
    std::cout << name << " reads: " << news.title << '\n';
  }
};

struct kiosk {
  struct count {
    using reply_type = int;
  };

  int init(std::string subject) {
    auto begun = otpp::pg::global().monitor(subject, otpp::self<kiosk>());
    return static_cast<int>(begun.members.size());
  }
  void handle_info(otpp::group_change change, int& readers) {
    readers += change.what == otpp::group_change::kind::joined ? 1 : -1;
    std::cout << "readers of " << change.group << ": " << readers << '\n';
  }
  int handle_call(count, int& readers) { return readers; }
};

asio::awaitable<void> publisher() {
  auto watching = co_await otpp::start<kiosk>("weather");
  auto ann = co_await otpp::start<reader>("ann", "weather");
  auto bob = co_await otpp::start<reader>("bob", "sports");
  auto eve = co_await otpp::start<reader>("eve", "weather");

  int readers = co_await otpp::call<kiosk::count>(watching); // what happened before, it has heard of
  std::size_t sent = otpp::pg::global().cast("weather", article{"Rain"});
  std::cout << "sent to " << sent << " of " << readers << '\n';

  co_await eve.stop(); // after what was sent to it
  co_await ann.stop();
  co_await bob.stop();
  co_await watching.stop();
}

int main() { return otpp::run(publisher); }

// Output:
// readers of weather: 1
// readers of weather: 2
// sent to 2 of 2
// ann reads: Rain
// eve reads: Rain
// readers of weather: 1
// readers of weather: 0
