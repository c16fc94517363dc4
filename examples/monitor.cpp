// SPDX-License-Identifier: BSL-1.0

// A monitor: one server is told when another has ended, and why. The other notices
// nothing. A lock, which is free again when whoever holds it is gone.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

// [lock]
struct lock {
  struct take { otpp::pid who; using reply_type = bool; };

  struct state {
    std::optional<otpp::monitor_ref> holder;
  };

  state init() { return {}; }

  bool handle_call(take request, state& s) {
    if (s.holder) return false;
    s.holder = otpp::monitor(request.who);
    return true;
  }

  void handle_info(otpp::down message, state& s) {
    std::cout << "  the holder is gone: " << message.reason << '\n';
    s.holder.reset();
  }
};
// [lock]

struct worker {
  struct crash {};
  int init() { return 0; }
  void handle_cast(crash, int&) { throw std::runtime_error("out of luck"); }
};

// [client]
asio::awaitable<void> take(otpp::server_ref<lock> one, otpp::pid who, std::string name) {
  bool taken = co_await otpp::call<lock::take>(one, who);
  std::cout << name << (taken ? " takes the lock\n" : " has to wait\n");
}

asio::awaitable<void> client() {
  auto one = co_await otpp::start<lock>();
  auto ann = co_await otpp::start<worker>();
  auto bob = co_await otpp::start<worker>();

  co_await take(one, ann, "ann");
  co_await take(one, bob, "bob");
  co_await otpp::cast<worker::crash>(ann);
  co_await ann.join(); // the lock has been told before us
  co_await take(one, bob, "bob");
}
// [client]

int main() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  return otpp::run(client);
}

// Output:
// ann takes the lock
// bob has to wait
//   the holder is gone: out of luck
// bob takes the lock
//   the holder is gone: shutdown
