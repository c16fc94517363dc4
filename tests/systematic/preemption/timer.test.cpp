// SPDX-License-Identifier: BSL-1.0

#include <otpp/timer.hpp>

#include <asio/bind_executor.hpp>

#include <exception>
#include <utility>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"
#include "started.hpp"

namespace {

using preemption::entry;
using preemption::expect;

struct sleeper {
  struct wake_up {};
  int* init(int* woken) { return woken; }
  void handle_info(wake_up, int*& woken) { ++*woken; }
};

// A timer whose time has come, for a server that a thread runs.
struct due : preemption::scenario {
  preemption::context here;
  int woken = 0;
  bool is_cancelled = false;
  otpp::server_ref<sleeper> server = preemption::started<sleeper>(here, otpp::options(), &woken);
  otpp::timer_ref timer = otpp::send_after<sleeper::wake_up>(otpp::duration::zero(), server);

  auto told_of_the_end() {
    return asio::bind_executor(here.get_executor(), [this](std::exception_ptr error) {
      expect(!error, "stopped in vain");
      here.end();
    });
  }
  void cancel() { is_cancelled = timer.cancel().has_value(); }
};

// It is cancelled, or its message is sent: never both, never neither.
struct cancel_or_fire final : due {
  void run(int thread) override {
    if (thread == 1) {
      here.poll();
    } else {
      cancel();
    }
  }
  void finish() override {
    here.poll();
    expect(woken == (is_cancelled ? 0 : 1), "cancelled and sent, or neither");
  }
};
const entry cancel_or_fire_entry("timer.cancel_or_fire", 2, 3, preemption::make<cancel_or_fire>);

// Its server ends at the same time.
struct cancel_or_end final : due {
  void run(int thread) override {
    switch (thread) {
      case 1: here.run(); break;
      case 2: cancel(); break;
      default: server.stop(std::move(ended)); break;
    }
  }
  void finish() override {
    expect(woken <= (is_cancelled ? 0 : 1), "cancelled and sent");
    expect(!timer.remaining(), "there is a timer for a server that has ended");
  }
  decltype(std::declval<due&>().told_of_the_end()) ended = told_of_the_end();
};
const entry cancel_or_end_entry("timer.cancel_or_end", 3, 2, preemption::make<cancel_or_end>);

} // namespace
