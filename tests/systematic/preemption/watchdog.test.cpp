// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/server_ref.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/bind_executor.hpp>

#include <exception>
#include <functional>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"
#include "started.hpp"

// What a turn has ready is taken by another thread, which then runs the context, too.
namespace {

using preemption::cell;
using preemption::entry;
using preemption::expect;

struct tally {
  struct note {};
  struct count {
    using reply_type = int;
  };
  struct state {
    cell<int> notes{0};
  };

  state init() { return {}; }
  void handle_cast(note, state& all) {
    ++all.notes.write();
    preemption::mark(0);
  }
  int handle_call(count, state& all) {
    preemption::mark(0);
    return ++all.notes.write();
  }
};

// Does in a handler what the scenario wants.
struct boss {
  struct go {
    std::function<void()> what;
  };
  int init() { return 0; }
  void handle_cast(go m, int&) { m.what(); }
};

struct with_watchdog {
  with_watchdog() noexcept { otpp::detail::has_watchdog = true; }
  with_watchdog(const with_watchdog&) = delete;
  with_watchdog& operator=(const with_watchdog&) = delete;
  ~with_watchdog() { otpp::detail::has_watchdog = false; }
};

// Two threads run a context; the second looks first at what the turn of the first has ready.
struct house : with_watchdog, preemption::scenario {
  preemption::context here;
  otpp::server_ref<tally> server = preemption::started<tally>(here, {});
  otpp::server_ref<boss> chief = preemption::started<boss>(here, {});
  int awaited = 0;
  int answered = 0;
  cell<int> seen{0};

  auto told() {
    ++awaited;
    return asio::bind_executor(here.get_executor(), [this](std::exception_ptr error, int) {
      expect(!error, "not answered");
      ++seen.write();
      if (++answered == awaited) {
        here.end();
      }
    });
  }

  void run(int thread) override {
    if (thread == 2) {
      auto its = otpp::detail::context_state::of(asio::any_io_executor(here.get_executor()));
      its->get_watchdog().look();
      its->get_watchdog().look();
    }
    here.run();
  }
  void finish() override {
    here.poll();
    expect(answered == awaited, "somebody waits forever");
  }
};

// The handler goes on sending to the server that it has woken.
struct woken : house {
  woken() {
    otpp::try_cast<boss::go>(chief, [this] {
      otpp::try_cast<tally::note>(server);
      preemption::mark(0);
      otpp::try_cast<tally::note>(server);
      otpp::call_for<tally::count>(server, otpp::infinite, told());
    });
  }
};
const entry woken_entry("watchdog.woken", 2, 2, preemption::make<woken>);

// A call whose server runs in the same turn, and then has another message: its wait, and then its caller, is taken.
struct answered : house {
  answered() {
    otpp::try_cast<boss::go>(chief, [this] {
      otpp::call_for<tally::count>(server, otpp::infinite, told());
      otpp::try_cast<tally::note>(server);
    });
  }
};
const entry answered_entry("watchdog.answered", 2, 2, preemption::make<answered>);

} // namespace
