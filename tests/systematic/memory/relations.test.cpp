// SPDX-License-Identifier: BSL-1.0

// Monitors, links and exit signals without memory: making one has an effect or throws; an end that is told by one
// takes none.

#include "subject.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>

namespace {

struct kin {
  struct watch {
    otpp::pid who;
  };
  struct tie {
    otpp::pid who;
  };
  struct leave {};

  struct told {
    int downs = 0;
    int exits = 0;
    bool had_none = false;
    bool is_armed = true; // while it ties
  };

  using state_type = told*;
  told* init(told* where) {
    otpp::trap_exit();
    return where;
  }
  void handle_cast(watch m, told*& s) {
    s->is_armed ? arm() : disarm();
    try {
      otpp::monitor(m.who);
    } catch (const std::bad_alloc&) {
      s->had_none = true;
    }
    disarm();
  }
  void handle_cast(tie m, told*& s) {
    s->is_armed ? arm() : disarm();
    try {
      otpp::link(m.who);
    } catch (const std::bad_alloc&) {
      s->had_none = true;
    }
    disarm();
  }
  otpp::outcome<> handle_cast(leave, told*&) { return otpp::stop(otpp::exit_reason::shutdown()); }
  void handle_info(otpp::down, told*& s) { ++s->downs; }
  void handle_info(otpp::exit_signal, told*& s) { ++s->exits; }
};

struct family {
  family() {
    for (int n = 0; n != 2; ++n) {
      otpp::start<kin>(
          otpp::options().on(context.get_executor()), &said[n],
          [this, n](std::exception_ptr, auto started) { servers[n].emplace(std::move(started)); });
    }
    run();
  }
  void run() {
    context.restart();
    context.run();
  }

  asio::io_context context;
  kin::told said[2];
  std::optional<otpp::server_ref<kin>> servers[2];
};

} // namespace

TEST_CASE("memory: a monitor or a link is made or not made", "[memory]") {
  bool links = GENERATE(false, true);
  long count = fail_at_every_index([links] {
    family two;
    if (links) {
      otpp::try_cast<kin::tie>(*two.servers[0], *two.servers[1]);
    } else {
      otpp::try_cast<kin::watch>(*two.servers[0], *two.servers[1]);
    }
    two.run();
    otpp::try_cast<kin::leave>(*two.servers[1]);
    two.run();
    expect(two.said[0].had_none == has_struck(), "it throws if, and only if, there was no memory");
    int signals = two.said[0].downs + two.said[0].exits;
    expect(signals == (has_struck() ? 0 : 1), "a tie that was not made tells of nothing");
  });
  CHECK(count >= 3);
}

TEST_CASE("memory: telling of an end takes none", "[memory]") {
  bool links = GENERATE(false, true);
  fail_at_every_index([links] {
    family two;
    two.said[0].is_armed = false;
    if (links) {
      otpp::try_cast<kin::tie>(*two.servers[0], *two.servers[1]);
    } else {
      otpp::try_cast<kin::watch>(*two.servers[0], *two.servers[1]);
    }
    two.run();
    arm();
    bool was_sent = otpp::try_cast<kin::leave>(*two.servers[1]);
    two.run();
    disarm();
    int signals = two.said[0].downs + two.said[0].exits;
    expect(signals == (was_sent ? 1 : 0), "the end is told");
  });
}

TEST_CASE("memory: an exit signal is sent or not sent", "[memory]") {
  long count = fail_at_every_index([] {
    family two;
    bool had_none = false;
    arm();
    try {
      otpp::kill(*two.servers[0]);
    } catch (const std::bad_alloc&) {
      had_none = true;
    }
    disarm();
    two.run();
    expect(two.servers[0]->has_ended() == !had_none, "it ends, or kill throws");
    expect(had_none == has_struck(), "it throws if, and only if, there was no memory");
  });
  CHECK(count == 3); // what a process with ties has, the order, and its other form
}

TEST_CASE("memory: waits for an end that were given up do not pile up", "[memory]") {
  world here;
  int completed = 0;
  auto give_up = [&](int times) {
    for (int n = 0; n != times; ++n) {
      asio::cancellation_signal signal;
      auto count = [&](std::exception_ptr, otpp::exit_reason) { ++completed; };
      here.server().join(asio::bind_cancellation_slot(
          signal.slot(), asio::bind_executor(here.context().get_executor(), count)));
      signal.emit(asio::cancellation_type::terminal);
      here.run();
    }
    return failing_memory::live();
  };
  long after_few = give_up(100);
  long after_many = give_up(1000);
  CHECK(completed == 1100);
  CHECK(after_many <= after_few + 50); // the list of a process keeps some of them
}
