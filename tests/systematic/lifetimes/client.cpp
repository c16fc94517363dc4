// SPDX-License-Identifier: BSL-1.0

#include "client.hpp"

#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/pg.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/registry.hpp>
#include <otpp/request.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/supervisor.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/sys/status.hpp>
#include <otpp/sys/suspend.hpp>
#include <otpp/timer.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <exception>
#include <future>
#include <string_view>
#include <system_error>
#include <variant>

#include "worker.hpp"

namespace lifetimes {

namespace {

// What only this file's coroutines know of one client.
struct client {
  world& all;
  asio::any_io_executor on;
  permission may_go;
  bool is_serial;
  dice random;
  std::shared_ptr<actor> self;

  otpp::duration patience() {
    return std::chrono::microseconds(random.below(8) == 0 ? 200'000 : random.below(15'000));
  }
  deed any_deed() { return static_cast<deed>(random.below(static_cast<std::size_t>(deed::size))); }
};

// Waits for one operation, and counts how it ends.
template <class T>
asio::awaitable<std::optional<T>> attempt(client& me, asio::awaitable<T> what) {
  operation guard(me.may_go);
  std::optional<T> result;
  try {
    T value = co_await std::move(what);
    result.emplace(std::move(value));
  } catch (const std::exception&) {
    // It has ended, is busy, or has no such name: each is right at some time.
  }
  guard.end(!result);
  co_return result;
}

asio::awaitable<bool> attempt(client& me, asio::awaitable<void> what) {
  operation guard(me.may_go);
  bool is_done = false;
  try {
    co_await std::move(what);
    is_done = true;
  } catch (const std::exception&) {
    // as above
  }
  guard.end(!is_done);
  co_return is_done;
}

asio::awaitable<void> rest(client& me, std::uint32_t microseconds) {
  asio::steady_timer timer(me.on, std::chrono::microseconds(microseconds));
  co_await timer.async_wait(asio::use_awaitable);
}

// ---- calls ----

asio::awaitable<void> call_or_timer(client& me, worker_ref to) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(me.on, std::chrono::microseconds(me.random.below(3000)));
  operation guard(me.may_go);
  bool has_failed = false;
  try {
    auto either = co_await (
        otpp::call_for<worker::job>(to, 200ms, me.any_deed(), me.random.roll()) ||
        timer.async_wait(asio::use_awaitable));
    has_failed = either.index() == 1;
  } catch (const std::exception&) {
    has_failed = true;
  }
  guard.end(has_failed);
}

asio::awaitable<void> call_and_cancel(client& me, worker_ref to) {
  asio::cancellation_signal signal;
  auto ended = std::make_shared<bool>(false);
  auto on_end = [guard = operation(me.may_go), ended](std::exception_ptr error, int) mutable {
    guard.end(error != nullptr);
    *ended = true;
  };
  otpp::call_for<worker::job>(
      to, 300ms, me.any_deed(), me.random.roll(),
      asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(me.on, std::move(on_end))));
  co_await rest(me, me.random.below(2000));
  signal.emit(asio::cancellation_type::terminal);
  while (!*ended) {
    co_await rest(me, 100);
  }
}

// Calls that nobody waits for, whose answers come to executors of the users' own.
void call_on_custom(client& me, const worker_ref& to) {
  permission may_go;
  asio::any_io_executor on = me.all.make_custom(me.random, may_go);
  for (std::uint32_t n = 1 + me.random.below(3); n != 0; --n) {
    auto on_end = [guard = operation(may_go)](std::exception_ptr error, int) mutable {
      guard.end(error != nullptr);
    };
    otpp::call_for<worker::keep>(
        to, me.patience(), me.random.roll(), asio::bind_executor(on, std::move(on_end)));
  }
}

asio::awaitable<void> ask_many(client& me) {
  std::vector<worker_ref> whom = me.all.pick_some(me.random);
  switch (me.random.below(3)) {
    case 0:
      me.self->now("multi_call");
      co_await attempt(me, otpp::multi_call<worker::quick>(whom, me.patience(), 1));
      break;
    case 1: {
      me.self->now("a set of requests");
      otpp::request_set<int, int> requests;
      for (const worker_ref& one : whom) {
        requests.add(1, otpp::send_request<worker::keep>(one, me.random.roll()));
      }
      for (std::size_t n = me.random.below(whom.size() + 1); n != 0; --n) {
        co_await attempt(me, requests.next(me.patience()));
      }
      break; // the others are abandoned
    }
    default: {
      me.self->now("a request");
      for (const worker_ref& one : whom) {
        otpp::request_handle<int> request = otpp::send_request<worker::quick>(one, 1);
        if (me.random.below(2) == 0) {
          co_await attempt(me, request.wait(me.patience()));
        } else if (request.poll()) {
          note(count::ended, 0);
        }
      }
    }
  }
}

// ---- ends ----

// Gives it something to do, and ends it in the middle of that.
asio::awaitable<void> strike(client& me, worker_ref to) {
  me.self->now("strike");
  otpp::try_cast<worker::order>(to, me.any_deed(), me.random.roll());
  if (me.random.below(2) == 0) {
    co_await rest(me, me.random.below(1500));
  }
  switch (me.random.below(6)) {
    case 0: otpp::kill(to); break;
    case 1: otpp::exit(to, otpp::exit_reason::shutdown()); break;
    case 2:
      me.self->now("stop");
      co_await attempt(me, to.stop(otpp::exit_reason::shutdown(), me.patience()));
      break;
    case 3:
      me.self->now("stop");
      co_await attempt(me, to.stop(otpp::exit_reason::normal(), me.patience()));
      break;
    case 4:
      otpp::exit(to, otpp::exit_reason::shutdown());
      otpp::kill(to);
      break;
    default: co_return; // its deed goes on alone
  }
  if (me.random.below(2) == 0) {
    me.self->now("join of a killed one");
    otpp::kill(to); // no handler here swallows its cancellation, so it must end
    co_await attempt(me, to.join());
  }
}

// ---- names ----

asio::awaitable<void> use_names(client& me, worker_ref to) {
  std::string name = "worker " + std::to_string(me.random.below(6));
  switch (me.random.below(5)) {
    case 0: {
      me.self->now("wait_for_name");
      co_await attempt(me, otpp::wait_for_name<worker>(name, me.patience()));
      break;
    }
    case 1: {
      me.self->now("call by name");
      co_await attempt(me, otpp::call_for<worker::quick>(otpp::server_name<worker>(name), me.patience(), 1));
      break;
    }
    case 2: {
      me.self->now("call via a registry");
      otpp::via by(otpp::registry::global(), std::string_view(name));
      co_await attempt(me, otpp::call_for<worker::quick>(by.as<worker>(), me.patience(), 1));
      break;
    }
    case 3:
      me.self->now("register_name");
      try {
        otpp::register_name(name, to);
        otpp::unregister_name(name);
      } catch (const otpp::error&) {
        // Another has it, or the server has ended.
      }
      break;
    default: {
      me.self->now("a group");
      std::string group = "group " + std::to_string(me.random.below(3));
      otpp::pg::global().cast(group, worker::relate(me.random.roll()));
      std::vector<worker_ref> members = otpp::pg::global().members<worker>(group);
      if (!members.empty()) {
        otpp::pg::global().leave(group, members.front());
      }
    }
  }
}

// ---- others ----

asio::awaitable<void> use_sys(client& me, worker_ref to) {
  switch (me.random.below(4)) {
    case 0: {
      me.self->now("processes");
      std::vector<otpp::process_info> all = otpp::processes();
      break;
    }
    case 1:
      me.self->now("get_status");
      co_await attempt(me, otpp::get_status(to, me.patience()));
      break;
    default:
      me.self->now("suspend");
      co_await attempt(me, otpp::suspend(to, me.patience()));
      co_await rest(me, me.random.below(1000));
      me.self->now("resume");
      co_await attempt(me, otpp::resume(to, 100ms));
  }
}

void use_timers(client& me, const worker_ref& to) {
  me.self->now("timers");
  otpp::timer_ref once =
      otpp::send_after<worker::tick>(std::chrono::microseconds(me.random.below(3000)), to, 1);
  otpp::timer_ref again = otpp::send_interval<worker::tick>(1ms, to, 2);
  if (me.random.below(2) == 0) {
    once.cancel();
  }
  if (me.random.below(8) != 0) {
    again.cancel(); // else with its server
  }
}

asio::awaitable<void> use_supervisor(client& me) {
  me.self->now("a supervisor starts");
  otpp::supervisor_spec spec(me.random.below(2) == 0 ? otpp::one_for_one : otpp::one_for_all);
  spec.intensity(4, 1s);
  for (std::uint32_t n = 1 + me.random.below(3); n != 0; --n) {
    home where = me.all.pick_home(me.random);
    otpp::child_spec one = otpp::child<worker>(std::to_string(n), &me.all, where.may_block, me.random.roll());
    one.start_options(std::move(where.how)).shutdown(std::chrono::milliseconds(me.random.below(10)));
    one.restart(me.random.below(3) == 0 ? otpp::temporary : otpp::permanent);
    spec.add(std::move(one));
  }
  home where = me.all.pick_home(me.random);
  auto top = co_await attempt(me, otpp::start<otpp::supervisor>(std::move(where.how), std::move(spec)));
  if (!top) {
    co_return;
  }
  me.self->now("which_children");
  auto children = co_await attempt(me, otpp::which_children(*top));
  if (children) {
    for (const otpp::child_info& one : *children) {
      if (one.who && me.random.below(2) == 0) {
        otpp::kill(one.who);
      }
    }
  }
  co_await rest(me, me.random.below(3000));
  if (me.random.below(3) != 0) {
    me.self->now("terminate_child");
    co_await attempt(me, otpp::terminate_child(*top, std::string("1")));
  }
  me.self->now("a supervisor stops");
  bool is_stopped = co_await attempt(me, top->stop(otpp::exit_reason::shutdown(), 200ms));
  if (!is_stopped) {
    otpp::kill(*top);
  }
}

asio::awaitable<void> body(world* all, std::uint32_t luck) {
  counted_body tally;
  dice random(luck);
  for (std::uint32_t n = 1 + random.below(4); n != 0; --n) {
    worker_ref other = all->pick(random);
    if (other && random.below(2) == 0) {
      otpp::monitor(other);
    }
    try {
      if (random.below(2) == 0) {
        std::variant<worker::tick, otpp::down> got =
            co_await otpp::receive<worker::tick, otpp::down>(std::chrono::microseconds(random.below(5000)));
        note(got.index() == 0 ? count::ticks : count::downs);
      } else {
        otpp::down got = co_await otpp::receive<otpp::down>(std::chrono::microseconds(random.below(5000)));
        note(count::downs);
      }
    } catch (const otpp::error&) {
      // Nothing came in time.
    }
  }
}

asio::awaitable<void> use_process(client& me) {
  me.self->now("spawn");
  home where = me.all.pick_home(me.random);
  asio::awaitable<void> what = body(&me.all, me.random.roll());
  auto who = co_await attempt(me, otpp::spawn(std::move(where.how), std::move(what)));
  if (!who) {
    co_return;
  }
  for (std::uint32_t n = me.random.below(3); n != 0; --n) {
    otpp::try_send<worker::tick>(*who, 1);
  }
  if (me.random.below(2) == 0) {
    otpp::kill(*who);
  }
  me.self->now("join of a process");
  co_await attempt(me, who->join());
}

asio::awaitable<void> start_on_custom(client& me) {
  me.self->now("start on an executor of its own kind");
  permission ignored;
  home where;
  where.how.on(me.all.make_custom(me.random, ignored));
  auto made = co_await attempt(me, start_at(&me.all, std::move(where), me.random.roll()));
  if (made) {
    me.all.put(me.random.below(world::slots), std::move(*made));
  }
}

asio::awaitable<void> live(std::shared_ptr<client> alive) {
  client& me = *alive;
  while (!me.all.over) {
    worker_ref to = me.all.pick(me.random);
    if (!to || to.has_ended()) {
      me.self->now("start");
      operation guard(me.may_go);
      co_await start_worker(&me.all, me.random.roll());
      guard.end();
      continue;
    }
    switch (me.random.below(32)) {
      case 0:
      case 1:
      case 2: co_await strike(me, to); break;
      case 3:
      case 4:
        if (me.is_serial) {
          me.self->now("call or timer");
          co_await call_or_timer(me, to);
        }
        break;
      case 5:
      case 6:
        if (me.is_serial) {
          me.self->now("call and cancel");
          co_await call_and_cancel(me, to);
        }
        break;
      case 7:
        me.self->now("calls whose answers go to other executors");
        call_on_custom(me, to);
        break;
      case 8: co_await start_on_custom(me); break;
      case 9:
      case 10: co_await ask_many(me); break;
      case 11:
      case 12: co_await use_names(me, to); break;
      case 13: co_await use_sys(me, to); break;
      case 14: use_timers(me, to); break;
      case 15: co_await use_supervisor(me); break;
      case 16: co_await use_process(me); break;
      case 17:
      case 18:
        me.self->now("call that another answers");
        co_await attempt(me, otpp::call_for<worker::keep>(to, me.patience(), me.random.roll()));
        break;
      case 19: me.all.put(me.random.below(world::slots), worker_ref()); break;
      case 20:
      case 21:
      case 22:
      case 23:
        me.self->now("cast");
        if (me.random.below(2) == 0) {
          otpp::try_cast<worker::relate>(to, me.random.roll());
        } else {
          co_await attempt(me, otpp::cast<worker::order>(to, me.any_deed(), me.random.roll()));
        }
        break;
      case 24:
      case 25:
      case 26:
      case 27:
        me.self->now("call of a job");
        co_await attempt(me, otpp::call_for<worker::job>(to, me.patience(), me.any_deed(), me.random.roll()));
        break;
      default:
        me.self->now("call");
        co_await attempt(
            me, otpp::call_for<worker::quick>(to, me.patience(), static_cast<int>(me.random.below(3))));
    }
    co_await rest(me, me.random.below(100));
  }
  me.self->now("ends");
}

} // namespace

void spawn_client(
    world& all, const asio::any_io_executor& on, permission may_go, bool is_serial, bool stays,
    std::string name) {
  std::uint64_t number = ++all.numbers;
  auto self = all.add_actor(std::move(name));
  auto made = std::make_shared<client>(
      client{all, on, std::move(may_go), is_serial, dice(all.seed * 1'000'003 + number), self});
  if (stays) {
    std::lock_guard lock(all.clients_mutex);
    ++all.clients_that_stay;
  }
  note(count::clients);
  // Told when it has ended, and when it is destroyed with its context.
  std::shared_ptr<void> presence(nullptr, [&all, self, stays](void*) {
    self->is_gone = true;
    if (stays) {
      std::lock_guard lock(all.clients_mutex);
      --all.clients_that_stay;
      all.clients_changed.notify_all();
    }
  });
  operation guard(made->may_go);
  asio::co_spawn(
      on, live(std::move(made)), [presence, guard = std::move(guard)](std::exception_ptr error) mutable {
        guard.end(error != nullptr);
      });
}

void talk_from_outside(world& all, std::uint64_t number) {
  auto self = all.add_actor("thread " + std::to_string(number) + " of no context");
  dice random(all.seed * 7919 + number);
  auto never = std::make_shared<std::atomic<bool>>(false);
  while (!all.over) {
    self->now("rests");
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(300)));
    worker_ref to = all.pick(random);
    if (!to) {
      continue;
    }
    switch (random.below(5)) {
      case 0: otpp::try_cast<worker::relate>(to, random.roll()); break;
      case 1: otpp::try_cast<worker::order>(to, deed::leave, random.roll()); break;
      case 2: {
        self->now("stop from outside");
        operation guard(never);
        bool has_failed = false;
        std::future<void> told = to.stop(otpp::exit_reason::shutdown(), 5ms, asio::use_future);
        try {
          told.get();
        } catch (const std::future_error&) {
          continue; // lost
        } catch (const std::exception&) {
          has_failed = true;
        }
        guard.end(has_failed);
        break;
      }
      default: {
        self->now("call from outside");
        operation guard(never);
        bool has_failed = false;
        std::future<int> told = otpp::call_for<worker::keep>(to, 10ms, random.roll(), asio::use_future);
        try {
          told.get();
        } catch (const std::future_error&) {
          continue; // lost
        } catch (const std::exception&) {
          has_failed = true;
        }
        guard.end(has_failed);
      }
    }
  }
  self->is_gone = true;
}

void answer_from_outside(world& all) {
  dice random(all.seed * 104'729);
  while (true) {
    std::vector<otpp::caller<int>> calls = all.take_calls();
    if (calls.empty()) {
      return;
    }
    for (otpp::caller<int>& from : calls) {
      switch (random.below(4)) {
        case 0: break; // destroyed unanswered
        case 1: from.fail(std::runtime_error("elsewhere")); break;
        default:
          if (from.reply(2)) {
            note(count::answered_elsewhere);
          }
      }
    }
  }
}

} // namespace lifetimes
