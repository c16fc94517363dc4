// SPDX-License-Identifier: BSL-1.0

// What is built on servers, in every order of events: what a full mailbox refuses or drops, calls that are skipped, a stop
// that goes ahead, draining with a deadline, the size of a pool, the timeouts of a state machine, the messages of a stream.
// The files of these have what happens in one order.

#include <otpp/crash_report.hpp>
#include <otpp/dropped_message.hpp>
#include <otpp/gen_server.hpp>
#include <otpp/gen_statem.hpp>
#include <otpp/pool.hpp>
#include <otpp/process.hpp>
#include <otpp/registry/wait_for_name.hpp>
#include <otpp/sys/statistics.hpp>
#include <otpp/testing/explore.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
using otpp::overflow;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// What servers find out: an exception would only end them.
class room_witness {
 public:
  explicit room_witness(world& in) : all_(&in) {}

  void expect(bool holds, const char* what) {
    if (!holds && broken_.empty()) {
      broken_ = what;
    }
  }

  // Fails the scenario if anything was not as expected.
  void check() const { all_->check(broken_.empty(), broken_.c_str()); }

 private:
  world* all_;
  std::string broken_;
};

// How often each thing has happened to the messages of a kind.
struct room_fates {
  int sent = 0;
  int begun = 0; // handlers
  // How the sender's operation has ended:
  int done = 0; // a call is answered, a cast is taken
  int full = 0;
  int draining = 0;
  int late = 0;
  int cut = 0;    // ended with the server
  int nobody = 0; // came after it
  // What a subscriber was told:
  int dropped = 0; // of a full mailbox
  int left = 0;    // in the mailbox of one that has ended
};

struct room_ledger : room_witness {
  using room_witness::room_witness;

  room_fates asks;
  room_fates notes;
  bool is_draining = false;
  int accepted = 0;     // calls that came before
  bool is_over = false; // nothing may begin any more
  std::set<int> begun;  // the calls
  std::set<int> given_up;

  // What is so in any order. Calls that are begun are answered: that may not be so where a handler is cancelled.
  void check_each_ended_once() {
    for (const room_fates* of : {&asks, &notes}) {
      int ended = of->done + of->full + of->draining + of->late + of->cut + of->nobody;
      expect(ended == of->sent, "an operation has ended twice, or not at all");
    }
    expect(asks.left == 0, "a call is reported as left, though its caller is told");
    expect(notes.done == notes.begun + notes.dropped + notes.left, "a cast is lost, or told twice");
    check();
  }
};

struct room_worker {
  struct ask { // answered in a later step
    int n;
    using reply_type = int;
  };
  struct note {};

  room_ledger* init(room_ledger* its) { return its; }
  asio::awaitable<int> handle_call(ask m, room_ledger*& its) {
    begin(*its, its->asks);
    its->expect(its->begun.insert(m.n).second, "a call is handled twice");
    its->expect(!its->given_up.contains(m.n), "a call is handled whose caller has given up");
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    co_return m.n;
  }
  void handle_cast(note, room_ledger*& its) { begin(*its, its->notes); }

 private:
  static void begin(room_ledger& its, room_fates& of) {
    its.expect(!its.is_over, "a message is handled after the end was asked for");
    ++of.begun;
  }
};
using room_worker_ref = otpp::server_ref<room_worker>;

otpp::subscription count_room_drops(room_ledger& its) {
  return otpp::subscribe<otpp::dropped_message>([&its](const otpp::dropped_message& one) {
    room_fates& of = one.message.ends_with("ask") ? its.asks : its.notes;
    ++(one.was_full ? of.dropped : of.left);
  });
}
otpp::subscription ignore_room_crashes() {
  return otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
}

// Counts how an operation has ended, and fails the scenario if that is in no way of these.
void count_room_end(room_ledger& its, room_fates& of, std::error_code how) {
  if (!how) {
    ++of.done;
  } else if (how == otpp::errc::mailbox_full) {
    ++of.full;
  } else if (how == otpp::errc::draining) {
    ++of.draining;
  } else if (how == otpp::errc::timeout) {
    ++of.late;
  } else if (how == otpp::errc::exited) {
    ++of.cut;
  } else {
    its.expect(how == otpp::errc::no_process, "an operation ends with another error");
    ++of.nobody;
  }
}

// What is sent before a server begins to drain is accepted; what is sent later is told.
template <class Address>
asio::awaitable<void> ask_room(room_ledger& its, Address server, int n, otpp::duration within) {
  ++its.asks.sent;
  bool is_accepted = !its.is_draining;
  its.accepted += is_accepted ? 1 : 0;
  std::error_code how = co_await code_of(otpp::call_for<room_worker::ask>(server, within, n));
  if (how == otpp::errc::timeout) {
    its.given_up.insert(n);
  }
  its.expect(how || its.begun.contains(n), "a call is answered that nobody has handled");
  bool is_refused = how == otpp::errc::draining || how == otpp::errc::no_process;
  its.expect(is_accepted || is_refused, "a call is taken by a server that drains");
  count_room_end(its, its.asks, how);
}

asio::awaitable<void> tell_room(room_ledger& its, room_worker_ref server) {
  ++its.notes.sent;
  std::error_code how = co_await code_of(otpp::cast<room_worker::note>(server));
  count_room_end(its, its.notes, how);
}

} // namespace

TEST_CASE(
    "overflow: in every order a message is handled or its sender or a subscriber is told", "[overflow]") {
  for (overflow what : {overflow::wait, overflow::refuse, overflow::drop_newest, overflow::drop_oldest}) {
    room_fates asks; // of all orders
    room_fates notes;
    auto add = [](room_fates& sum, const room_fates& of) {
      sum.done += of.done;
      sum.full += of.full;
      sum.cut += of.cut;
      sum.dropped += of.dropped;
      sum.left += of.left;
    };
    auto scenario = [&, what](world& one) {
      room_ledger its(one);
      otpp::subscription drops = count_room_drops(its);
      otpp::subscription crashes = ignore_room_crashes();
      room_worker_ref server;
      one.spawn("starter", [&]() -> asio::awaitable<void> {
        server = co_await otpp::start<room_worker>(otpp::options().mailbox_limit(1).when_full(what), &its);
      });
      one.run_in_order();
      for (int n : {1, 2}) {
        one.spawn("sender", [&, n]() -> asio::awaitable<void> {
          auto executor = co_await asio::this_coro::executor;
          co_await tell_room(its, server);
          co_await asio::post(executor, asio::use_awaitable); // or the call never finds room
          co_await ask_room(its, server, n, otpp::infinite);
          co_await tell_room(its, server);
        });
      }
      one.may("stop", [&] { server.stop([](std::exception_ptr) {}); });
      one.run();
      one.check(its.asks.sent == 2 && its.notes.sent == 4, "a sender does not go on");
      its.check_each_ended_once();
      bool may_drop = what == overflow::drop_newest || what == overflow::drop_oldest;
      one.check(its.asks.begun == its.asks.done, "a call was handled, and not answered");
      one.check(
          its.asks.dropped == (may_drop ? its.asks.full : 0), "a call was dropped, and not both were told");
      one.check(may_drop || its.notes.dropped == 0, "a cast was dropped that was not to be");
      one.check(what != overflow::wait || its.asks.full == 0, "a call was refused that was to wait");
      one.check(what == overflow::refuse || its.notes.full == 0, "a cast was refused that was not to be");
      add(asks, its.asks);
      add(notes, its.notes);
    };
    explore(orders::all(1), scenario);
    explore(orders::random(1, 300), scenario);
    INFO("when_full: " << static_cast<int>(what));
    bool may_drop = what == overflow::drop_newest || what == overflow::drop_oldest;
    CHECK(asks.done > 0);
    CHECK(asks.cut > 0);
    CHECK(notes.left > 0);
    CHECK((asks.full > 0) == (what != overflow::wait));
    CHECK((notes.full > 0) == (what == overflow::refuse));
    CHECK((notes.dropped > 0) == may_drop);
  }
}

TEST_CASE("overflow: in every order a call is skipped exactly if its caller has given up", "[overflow]") {
  int skipped = 0;
  int in_vain = 0; // handled before the caller has given up
  auto scenario = [&](world& one) {
    room_ledger its(one);
    room_worker_ref server;
    one.spawn("starter", [&]() -> asio::awaitable<void> {
      server = co_await otpp::start<room_worker>(otpp::options().skip_abandoned(), &its);
      co_await otpp::statistics(server, true);
    });
    one.run_in_order();
    for (int n : {1, 2, 3}) {
      otpp::duration within = n == 2 ? otpp::infinite : otpp::duration(n == 1 ? 0ms : 1ms);
      one.spawn("caller", [&, n, within] { return ask_room(its, server, n, within); });
    }
    one.run();
    its.check_each_ended_once();
    one.check(its.asks.done + its.asks.late == 3, "a call has ended otherwise");
    for (int n : {1, 2, 3}) {
      one.check(its.begun.contains(n) || its.given_up.contains(n), "a call was skipped whose caller waits");
    }
    one.spawn("end", [&]() -> asio::awaitable<void> {
      auto seen = co_await otpp::statistics(server);
      one.check(
          its.asks.begun + static_cast<int>(seen->skipped) == 3, "a call is neither handled nor counted");
      skipped += static_cast<int>(seen->skipped);
      in_vain += its.asks.begun - its.asks.done;
    });
    one.run_in_order();
  };
  explore(orders::all(1), scenario);
  explore(orders::random(1, 1000), scenario);
  CHECK(skipped > 0);
  CHECK(in_vain > 0);
}

TEST_CASE("priority: in every order nothing is begun after a stop that goes ahead", "[priority]") {
  room_fates asks; // of all orders
  room_fates notes;
  auto scenario = [&](world& one) {
    room_ledger its(one);
    otpp::subscription drops = count_room_drops(its);
    otpp::subscription crashes = ignore_room_crashes();
    room_worker_ref server;
    one.spawn("starter", [&]() -> asio::awaitable<void> {
      server = co_await otpp::start<room_worker>(otpp::options().priority<room_worker::note>(), &its);
    });
    one.run_in_order();
    for (int n : {1, 2}) {
      one.spawn("caller", [&, n]() -> asio::awaitable<void> {
        ++its.notes.sent;
        bool is_taken = otpp::try_cast<room_worker::note>(server);
        ++(is_taken ? its.notes.done : its.notes.nobody);
        co_await ask_room(its, server, n, otpp::infinite);
      });
    }
    one.spawn("stopper", [&]() -> asio::awaitable<void> {
      auto executor = co_await asio::this_coro::executor;
      co_await asio::post(executor, asio::use_awaitable);
      server.stop(otpp::exit_reason::shutdown(), otpp::ahead, [](std::exception_ptr) {});
      its.is_over = true;
      otpp::exit_reason why = co_await server.join();
      one.check(why == otpp::exit_reason::shutdown(), "another reason");
    });
    one.run();
    its.check_each_ended_once();
    one.check(its.asks.begun == its.asks.done, "a call was handled, and not answered");
    one.check(its.asks.done + its.asks.cut + its.asks.nobody == 2, "a call has ended otherwise");
    asks.done += its.asks.done;
    asks.cut += its.asks.cut;
    notes.begun += its.notes.begun;
    notes.left += its.notes.left;
  };
  explore(orders::all(1), scenario);
  explore(orders::random(1, 1000), scenario);
  CHECK(asks.done > 0);
  CHECK(asks.cut > 0); // overtaken
  CHECK(notes.begun > 0);
  CHECK(notes.left > 0); // overtaken, though it has priority
}

TEST_CASE("drain: in every order what was accepted is answered unless the deadline comes first", "[drain]") {
  for (otpp::duration within : {otpp::duration::zero(), otpp::duration(1h)}) {
    int in_time = 0;
    int too_late = 0;
    room_fates asks; // of all orders
    auto scenario = [&, within](world& one) {
      room_ledger its(one);
      otpp::subscription crashes = ignore_room_crashes();
      room_worker_ref server;
      one.spawn("starter", [&]() -> asio::awaitable<void> {
        server = co_await otpp::start<room_worker>(otpp::options().mailbox_limit(1), &its);
      });
      one.run_in_order();
      bool is_late = false;
      for (int n : {1, 2, 3}) { // one is handled, one has the room, and one stands in line for it
        one.spawn("caller", [&, n] { return ask_room(its, server, n, otpp::infinite); });
      }
      one.spawn("late caller", [&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        for (int n = 0; n != 6; ++n) {
          co_await asio::post(executor, asio::use_awaitable);
        }
        co_await ask_room(its, server, 4, otpp::infinite);
      });
      one.spawn("drainer", [&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        co_await asio::post(executor, asio::use_awaitable);
        its.is_draining = true;
        std::error_code how = co_await code_of(server.drain(within));
        its.is_over = true;
        is_late = how == otpp::errc::timeout;
        one.check(!how || is_late, "draining ends otherwise");
        one.check(server.has_ended(), "it has not ended");
      });
      one.run();
      its.check_each_ended_once();
      one.check(its.accepted == its.asks.done + its.asks.cut, "a call is refused that had been accepted");
      one.check(its.asks.sent == 4 && its.asks.full + its.asks.late == 0, "a call has ended otherwise");
      one.check(is_late || its.asks.cut == 0, "a call was accepted, and is not answered");
      int cancelled = its.asks.begun - its.asks.done; // it handles one at a time
      one.check(cancelled == 0 || (is_late && cancelled == 1), "a call was begun, and is not answered");
      one.check(cancelled <= its.asks.cut, "a call was begun, and its caller not told");
      ++(is_late ? too_late : in_time);
      asks.done += its.asks.done;
      asks.draining += its.asks.draining;
      asks.nobody += its.asks.nobody;
      asks.cut += its.asks.cut;
    };
    explore(orders::all(1), scenario);
    explore(orders::random(1, 500), scenario);
    INFO("within: " << within.count());
    CHECK((in_time > 0) == (within != otpp::duration::zero()));
    CHECK(too_late > 0); // of an hour, where its timer comes before all else
    CHECK(asks.done > 0);
    CHECK(asks.draining > 0);
    CHECK(asks.nobody > 0);
    CHECK(asks.cut > 0);
  }
}

TEST_CASE("pool: in every order its size changes while calls are in flight and each is answered", "[pool]") {
  int met = 0; // calls that a worker had begun, and not answered, when it was to end
  auto scenario = [&met](world& one) {
    room_ledger its(one);
    std::optional<otpp::pool<room_worker>> workers;
    one.spawn("starter", [&]() -> asio::awaitable<void> {
      auto how = otpp::pool_options(2).in_flight(3).drain(otpp::infinite);
      workers = co_await otpp::start_pool<room_worker>(how, &its);
    });
    one.run_in_order();
    for (int n : {1, 2, 3}) {
      one.spawn("caller", [&, n] { return ask_room(its, *workers, n, otpp::infinite); });
    }
    one.spawn("owner", [&]() -> asio::awaitable<void> {
      met += its.asks.sent - its.asks.done;
      co_await workers->resize(1);
      co_await workers->resize(3);
    });
    one.run();
    its.check_each_ended_once();
    one.check(its.asks.done == 3, "a call is not answered");
    one.check(workers->size() == 3, "another size");
    for (int n = 4; n != 14; ++n) { // nine places, all of which are free again
      one.spawn("caller", [&, n] { return ask_room(its, *workers, n, otpp::infinite); });
    }
    one.run_in_order();
    one.check(its.asks.done == 12 && its.asks.full == 1, "there are not nine places");
    one.spawn("end", [&]() -> asio::awaitable<void> { co_await workers->stop(); });
    one.run_in_order();
  };
  explore(orders::all(1), scenario);
  explore(orders::random(1, 500), scenario);
  CHECK(met > 0);
}

namespace {

enum class guard_shift { day, night };

struct guard_ledger : room_witness {
  using room_witness::room_witness;

  int changes = 0;
  int entered = 0;
  int answered = 0;
  std::set<int> overs;
  std::set<int> ticks;
};

// Only the day has a state timeout, so that nothing replaces it when it is over.
struct night_guard
    : otpp::gen_statem<night_guard, otpp::states<guard_shift::day, guard_shift::night>, guard_ledger*> {
  struct change {};
  struct over {
    int number; // of the day or night
  };
  struct tick {
    int number; // of the change
  };
  struct wait_for_night {
    using reply_type = int;
  };

  state_type init(guard_ledger* its) { return {guard_shift::day, its}; }
  entry handle_enter(guard_shift, guard_shift now, guard_ledger*& its) {
    ++its->entered;
    if (now == guard_shift::night) {
      return entry();
    }
    return entry().state_timeout(1ms, over{its->entered});
  }
  transition<> handle_event(change, guard_shift now, guard_ledger*& its) {
    check_entered(*its);
    ++its->changes;
    return next_state(now == guard_shift::day ? guard_shift::night : guard_shift::day)
        .timeout("tick", 1ms, tick{its->changes});
  }
  void handle_event(over m, guard_shift, guard_ledger*& its) {
    check_entered(*its);
    its->expect(m.number == its->entered, "a timeout comes of a state that was left");
    its->expect(its->overs.insert(m.number).second, "a timeout comes twice");
  }
  void handle_event(tick m, guard_shift, guard_ledger*& its) {
    check_entered(*its);
    its->expect(m.number == its->changes, "a timeout comes that was replaced");
    its->expect(its->ticks.insert(m.number).second, "a timeout comes twice");
  }
  transition<int> handle_event(wait_for_night, guard_shift now, guard_ledger*& its) {
    check_entered(*its);
    if (now == guard_shift::day) {
      return postpone();
    }
    return 1;
  }

 private:
  static void check_entered(guard_ledger& its) {
    its.expect(its.entered == its.changes + 1, "a state was not entered before an event");
  }
};

} // namespace

TEST_CASE("gen_statem: in every order no timeout comes of a state that was left", "[gen_statem]") {
  std::set<std::set<int>> overs; // which days were over before they were left, in some order
  std::set<std::set<int>> ticks;
  auto scenario = [&](world& one) {
    guard_ledger its(one);
    otpp::server_ref<night_guard> server;
    one.spawn(
        "starter", [&]() -> asio::awaitable<void> { server = co_await otpp::start<night_guard>(&its); });
    one.run_for(0s);
    one.spawn("caller", [&]() -> asio::awaitable<void> {
      int nights = co_await otpp::call_for<night_guard::wait_for_night>(server, otpp::infinite);
      its.answered += nights;
    });
    for (int n = 0; n != 3; ++n) {
      one.spawn("changer", [&, n]() -> asio::awaitable<void> {
        if (n == 2) { // when the timeouts are about to come, and may be in the mailbox already
          std::error_code none = co_await code_of(otpp::wait_for_name<night_guard>("nobody", 1ms));
          one.check(none == otpp::errc::timeout, "no such name");
        }
        co_await otpp::cast<night_guard::change>(server);
      });
    }
    one.run();
    its.check();
    one.check(its.changes == 3 && its.entered == 4 && its.answered == 1, "an event is lost, or comes twice");
    one.check(its.ticks.contains(3), "a timeout is lost");
    overs.insert(its.overs);
    ticks.insert(its.ticks);
  };
  explore(orders::all(2).at_most(1000), scenario);
  explore(orders::random(1, 1000), scenario);
  CHECK(overs == std::set<std::set<int>>{{}, {1}, {3}, {1, 3}});
  CHECK(ticks.size() > 1);
}

namespace {

struct stream_ledger : room_witness {
  using room_witness::room_witness;

  int asked = 0; // the stream for its next
  int read = 0;
  bool has_ended = false;
};

struct stream_reader {
  struct item {
    std::exception_ptr error;
    std::optional<int> value;
  };
  struct other {};

  stream_ledger* init(stream_ledger* its) {
    otpp::pipe_each<stream_reader>(
        [its] {
          its->expect(its->asked == its->read, "the next is asked for while the last is in the mailbox");
          return next(*its);
        },
        [](std::exception_ptr error, std::optional<int> value) { return item{std::move(error), value}; });
    return its;
  }
  void handle_info(item m, stream_ledger*& its) {
    its->expect(!m.error, "an error");
    its->expect(!its->has_ended, "a message after the last");
    ++its->read;
    its->has_ended = !m.value;
    its->expect(its->has_ended || *m.value == its->read, "another message");
  }
  asio::awaitable<void> handle_cast(other, stream_ledger*&) {
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }

 private:
  static asio::awaitable<std::optional<int>> next(stream_ledger& its) {
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    std::optional<int> value;
    if (++its.asked != 4) {
      value = its.asked;
    }
    co_return value;
  }
};

} // namespace

TEST_CASE("pipe: in every order a stream has at most one message in the mailbox", "[pipe]") {
  int cut_short = 0;
  int whole = 0;
  auto scenario = [&](world& one) {
    stream_ledger its(one);
    bool is_stopped = false;
    otpp::server_ref<stream_reader> server;
    one.spawn("client", [&]() -> asio::awaitable<void> {
      server = co_await otpp::start<stream_reader>(otpp::options().mailbox_limit(1), &its);
      otpp::try_cast<stream_reader::other>(server);
      co_await code_of(otpp::cast<stream_reader::other>(server));
    });
    one.may("stop", [&] {
      if (server) {
        is_stopped = true;
        server.stop([](std::exception_ptr) {});
      }
    });
    one.run();
    its.check();
    bool is_whole = its.has_ended && its.read == 4 && its.asked == 4;
    one.check(is_stopped || is_whole, "a message of the stream is lost");
    one.check(its.asked <= its.read + 1, "more than one is on its way");
    ++(is_whole ? whole : cut_short);
  };
  explore(orders::all(2).at_most(1000), scenario);
  explore(orders::random(1, 1000), scenario);
  CHECK(whole > 0);
  CHECK(cut_short > 0);
}
