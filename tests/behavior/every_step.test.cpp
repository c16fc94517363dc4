// SPDX-License-Identifier: BSL-1.0

// Every verb, cancelled or abandoned at every step of it, with every type of cancellation, while each kind of
// handler is at each of its own suspension points.

#include <otpp/testing.hpp>

#include <otpp/otpp.hpp>

#include <asio/cancellation_state.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "support/catch.hpp"
#include "support/probe.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace otpp::testing;

namespace {

std::atomic<int> living_states{0};
std::atomic<int> living_letters{0};
std::atomic<int> living_frames{0};

asio::awaitable<void> suspend(int times) {
  for (int i = 0; i < times; ++i) {
    co_await asio::post(asio::use_awaitable);
  }
}

struct shop_state {
  int handled = 0;
  std::vector<otpp::caller<int>> parked;
  counted_in alive{living_states};
};

// Each handler that is a coroutine suspends three times.
struct shop {
  struct handled {
    using reply_type = int;
  };
  struct plain {
    counted_in alive{living_letters};
    using reply_type = int;
  };
  struct slow {
    counted_in alive{living_letters};
    using reply_type = int;
  };
  struct parked {
    counted_in alive{living_letters};
    using reply_type = int;
  };
  struct release {};
  struct nested {
    otpp::server_ref<shop> to;
    counted_in alive{living_letters};
    using reply_type = int;
  };
  struct note {
    counted_in alive{living_letters};
  };
  struct slow_note {
    counted_in alive{living_letters};
  };
  struct go_on {
    counted_in alive{living_letters};
  };
  struct continued {
    using reply_type = int;
  };

  using messages = otpp::message_list<handled, plain, slow, parked, release, note, slow_note>;

  asio::awaitable<shop_state> init(int suspensions) {
    counted_in alive(living_frames);
    co_await suspend(suspensions);
    co_return shop_state();
  }
  int handle_call(handled, shop_state& state) { return state.handled; }
  int handle_call(plain, shop_state& state) { return ++state.handled; }
  asio::awaitable<int> handle_call(slow, shop_state& state) {
    counted_in alive(living_frames);
    co_await suspend(3);
    co_return ++state.handled;
  }
  void handle_call(parked, otpp::caller<int> from, shop_state& state) {
    ++state.handled;
    state.parked.push_back(std::move(from));
  }
  asio::awaitable<int> handle_call(nested message, shop_state& state) {
    counted_in alive(living_frames);
    ++state.handled;
    int value = co_await otpp::call_for<slow>(message.to, otpp::infinite);
    co_return value;
  }
  asio::awaitable<otpp::outcome<int>> handle_call(continued, shop_state& state) {
    counted_in alive(living_frames);
    co_await suspend(1);
    co_return otpp::outcome<int>(++state.handled).then(go_on{});
  }
  asio::awaitable<void> handle_continue(go_on, shop_state&) {
    counted_in alive(living_frames);
    co_await suspend(3);
  }
  void handle_cast(note, shop_state& state) { ++state.handled; }
  asio::awaitable<void> handle_cast(slow_note, shop_state& state) {
    counted_in alive(living_frames);
    co_await suspend(3);
    ++state.handled;
  }
  void handle_cast(release, shop_state& state) {
    for (otpp::caller<int>& from : std::exchange(state.parked, {})) {
      from.reply(1);
    }
  }
  asio::awaitable<void> handle_info(slow_note, shop_state& state) {
    counted_in alive(living_frames);
    co_await suspend(3);
    ++state.handled;
  }
  asio::awaitable<void> terminate(const otpp::exit_reason&, shop_state&) {
    counted_in alive(living_frames);
    co_await suspend(3);
  }
};

// What one operation of a client needs, and what became of it.
struct stage {
  otpp::server_ref<shop> server;
  otpp::server_ref<shop> other;
  int answers = 0;
  int errors = 0;
  bool has_begun = false;
};

using operation = std::function<asio::awaitable<void>(stage&)>;

struct named_operation {
  const char* name;
  operation run;
  int least_points; // at how many steps it can be cancelled, at least
};

asio::awaitable<void> note_error(stage& on, asio::awaitable<void> what) {
  try {
    co_await std::move(what);
    ++on.answers;
  } catch (const otpp::error&) {
    ++on.errors;
  } catch (const std::system_error& error) {
    CHECK(error.code() == asio::error::operation_aborted);
    ++on.errors;
  }
}

template <class Message>
asio::awaitable<void> call(stage& on) {
  co_await otpp::call_for<Message>(on.server, otpp::infinite);
}

template <class Message>
asio::awaitable<void> cast(stage& on) {
  co_await otpp::cast<Message>(on.server);
}

// A mailbox of one place, which is taken: the second has to stand in line.
asio::awaitable<void> cast_to_full(stage& on) {
  auto small = co_await otpp::start<shop>(otpp::options().mailbox_limit(1), 0);
  co_await otpp::cast<shop::slow_note>(small);
  co_await otpp::cast<shop::slow_note>(small);
  co_await otpp::cast<shop::note>(small);
  co_await otpp::cast<shop::note>(small);
  int handled = co_await otpp::call_for<shop::handled>(small, otpp::infinite);
  (void)on;
  CHECK(handled == 4);
}

asio::awaitable<void> send(stage& on) { co_await otpp::send<shop::slow_note>(on.server); }

asio::awaitable<void> start(stage&) {
  auto made = co_await otpp::start<shop>(otpp::options(), 3);
  co_await made.stop();
}

asio::awaitable<void> start_by_name(stage&) {
  auto made = co_await otpp::start<shop>(otpp::named("every step"), 3);
  co_await made.stop();
}

asio::awaitable<void> call_by_name(stage&) {
  auto made = co_await otpp::start<shop>(otpp::named("every step"), 0);
  co_await otpp::call_for<shop::slow>(otpp::server_name<shop>("every step"), otpp::infinite);
  co_await made.stop();
}

asio::awaitable<void> stop(stage& on) { co_await on.other.stop(); }
asio::awaitable<void> join(stage& on) {
  co_await otpp::cast<shop::slow_note>(on.other);
  on.other.stop(otpp::exit_reason::normal(), [](std::exception_ptr) {});
  co_await on.other.join();
}

asio::awaitable<void> wait_for_name(stage&) { co_await otpp::wait_for_name<shop>("nobody", otpp::infinite); }

asio::awaitable<void> parked_call(stage& on) {
  otpp::call_for<shop::slow>(on.server, otpp::infinite, [](std::exception_ptr, int) {});
  co_await otpp::call_for<shop::parked>(on.server, otpp::infinite);
}

asio::awaitable<void> nested_call(stage& on) {
  co_await otpp::call_for<shop::nested>(on.server, otpp::infinite, on.other);
}

const std::vector<named_operation>& operations() {
  static const std::vector<named_operation> all = {
      {"call of a function", call<shop::plain>, 1},
      {"call of a coroutine", call<shop::slow>, 3},
      {"call with a continuation", call<shop::continued>, 1},
      {"call that calls", nested_call, 3},
      {"call that is never answered", parked_call, 3},
      {"call by name", call_by_name, 5},
      {"cast", cast<shop::note>, 0},
      {"cast of a coroutine", cast<shop::slow_note>, 0},
      {"cast to a full mailbox", cast_to_full, 5},
      {"send", send, 0},
      {"start", start, 5},
      {"start with a name", start_by_name, 5},
      {"stop", stop, 3},
      {"join", join, 5},
      {"wait for a name", wait_for_name, 1},
  };
  return all;
}

// One client runs the operation; `meanwhile` may do something to it at any step; afterwards the server must be
// as good as ever, and nothing may be left.
template <class Meanwhile>
void run_operation(world& one, const named_operation& what, Meanwhile meanwhile) {
  std::optional<stage> on;
  one.spawn("set up", [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>(0);
    auto other = co_await otpp::start<shop>(0);
    on.emplace(stage{std::move(server), std::move(other)});
  });
  one.run_in_order();
  client& subject = one.spawn("subject", [&]() -> asio::awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    on->has_begun = true;
    co_await note_error(*on, what.run(*on));
  });
  meanwhile(*on, subject);
  one.run();
  if (!one.has_main_context()) {
    return;
  }
  int endings = on->has_begun && subject.has_ended() ? 1 : 0;
  one.check(on->answers + on->errors == endings, "not ended exactly once");
  one.spawn("afterwards", [&]() -> asio::awaitable<void> {
    int before = co_await otpp::call_for<shop::handled>(on->server, otpp::infinite);
    int after = co_await otpp::call_for<shop::slow>(on->server, otpp::infinite);
    one.check(after == before + 1, "the server has come to harm");
  });
  one.run_in_order();
  if (!subject.has_ended()) {
    subject.cancel(); // it waits for what nobody will do
    one.run_in_order();
    one.check(subject.has_ended(), "could not be cancelled at last");
  }
  bool is_free = !otpp::whereis<shop>("every step");
  one.check(is_free || on->errors == 1, "a name is left");
}

void check_nothing_lives() {
  CHECK(living_states == 0);
  CHECK(living_letters == 0);
  CHECK(living_frames == 0);
}

} // namespace

TEST_CASE("every step: a verb that is cancelled ends once, and harms nobody") {
  const asio::cancellation_type types[] = {
      asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
  std::uint64_t schedules = 0;
  for (const named_operation& what : operations()) {
    for (asio::cancellation_type type : types) {
      std::map<std::uint64_t, int> points; // by step
      report done = explore(orders::all(3), [&](world& one) {
        run_operation(one, what, [&](stage&, client& subject) {
          one.may("the client is cancelled", [&] {
            if (!subject.has_ended()) {
              ++points[one.steps()];
              subject.cancel(type);
            }
          });
        });
      });
      schedules += done.schedules;
      CAPTURE(what.name, static_cast<unsigned>(type));
      CHECK(done.is_complete);
      CHECK(points.size() >= static_cast<std::size_t>(what.least_points));
    }
  }
  check_nothing_lives();
  CHECK(schedules > 20'000);
}

TEST_CASE("every step: what is abandoned leaves nothing") {
  for (const named_operation& what : operations()) {
    int points = 0;
    report done = explore(orders::all(2), [&](world& one) {
      run_operation(one, what, [&](stage&, client&) { one.may_destroy_main_context(); });
      points += one.has_main_context() ? 0 : 1;
      CAPTURE(what.name);
      CHECK_FALSE(otpp::whereis<shop>("every step"));
    });
    CAPTURE(what.name);
    CHECK(done.is_complete);
    CHECK(points >= what.least_points);
  }
  check_nothing_lives();
}

TEST_CASE("every step: callers elsewhere hear of a context's end, whenever it comes") {
  int told = 0;
  int answered = 0;
  explore(orders::all(2), [&](world& one) {
    context elsewhere(one);
    std::optional<otpp::server_ref<shop>> server;
    one.spawn("set up", [&]() -> asio::awaitable<void> {
      auto made = co_await otpp::start<shop>(0);
      server.emplace(std::move(made));
    });
    one.run_in_order();
    for (int i = 0; i < 2; ++i) {
      one.spawn_on(elsewhere, "caller " + std::to_string(i), [&]() -> asio::awaitable<void> {
        try {
          co_await otpp::call_for<shop::slow>(*server, otpp::infinite);
          ++answered;
        } catch (const otpp::error& error) {
          bool is_right = error.code() == otpp::errc::exited || error.code() == otpp::errc::no_process;
          one.check(is_right, "not the right error");
          ++told;
        }
      });
    }
    one.may_destroy_main_context();
    one.run();
  });
  CHECK(told > 10);
  CHECK(answered > 10);
  check_nothing_lives();
}
