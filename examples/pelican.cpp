// SPDX-License-Identifier: BSL-1.0

// A pelican crossing: a state machine with timeouts. The cars have green until somebody pushes the button, but for a
// while at least; a push that comes too early is postponed, and so is remembered.

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

// [crossing]
enum class cars { green, may_stop, amber, red, flashing };

struct crossing
    : otpp::gen_statem<crossing, otpp::states<cars::green, cars::may_stop, cars::amber, cars::red, cars::flashing>, int> {
  using enum cars;
  struct push {};
  struct time_is_over {};
  struct wait_for_walk { int number; using reply_type = int; };

  state_type init() { return {green, 0}; }

  // Each state begins here, and sets its time. A change of the state cancels what is left of it.
  entry handle_enter(cars, otpp::in_state<green>, int&) { return show("green", 200ms); }
  void handle_enter(cars, otpp::in_state<may_stop>, int&) {}
  entry handle_enter(cars, otpp::in_state<amber>, int&) { return show("amber", 10ms); }
  entry handle_enter(cars, otpp::in_state<red>, int& walks) {
    ++walks;
    return show("red, people walk", 20ms);
  }
  entry handle_enter(cars, otpp::in_state<flashing>, int&) { return show("flashing amber", 10ms); }

  transition<> handle_event(time_is_over, cars now, int&) {
    switch (now) {
      case green: return next_state(may_stop);
      case amber: return next_state(red);
      case red: return next_state(flashing);
      case flashing: return next_state(green);
      case may_stop: break; // it has no time
    }
    return keep_state();
  }

  transition<> handle_event(push, otpp::in_state<green>, int&) {
    std::cout << "a push: please wait\n";
    return postpone(); // until the state changes
  }
  transition<> handle_event(push, otpp::in_state<may_stop>, int&) { return next_state(amber); }
  void handle_event(push, cars, int&) {} // in the states that have no handler of their own: the lights are at it

  // Answered when people have walked so often, and the cars have green again.
  transition<int> handle_event(wait_for_walk one, cars now, int& walks) {
    if (now != green || walks < one.number) {
      return postpone();
    }
    return walks;
  }

 private:
  static entry show(const char* what, std::chrono::milliseconds how_long) {
    std::cout << "cars: " << what << '\n';
    return entry().state_timeout(how_long, time_is_over());
  }
};
// [crossing]

asio::awaitable<void> client() {
  auto lights = co_await otpp::start<crossing>(otpp::named("crossing"));
  for (int round = 0; round < 2; ++round) {
    co_await otpp::cast<crossing::push>(lights);
    int walks = co_await otpp::call<crossing::wait_for_walk>(lights, round + 1);
    std::cout << "people have walked: " << walks << '\n';
  }
  co_await lights.stop();
}

int main() { return otpp::run(client); }

// Output:
// cars: green
// a push: please wait
// cars: amber
// cars: red, people walk
// cars: flashing amber
// cars: green
// people have walked: 1
// a push: please wait
// cars: amber
// cars: red, people walk
// cars: flashing amber
// cars: green
// people have walked: 2
