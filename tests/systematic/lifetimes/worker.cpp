// SPDX-License-Identifier: BSL-1.0

#include "worker.hpp"

#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/self.hpp>
#include <otpp/registry/pg.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <string>
#include <system_error>

namespace lifetimes {

namespace {

asio::awaitable<void> rest(std::uint32_t microseconds) {
  asio::any_io_executor here = co_await asio::this_coro::executor;
  asio::steady_timer timer(here, std::chrono::microseconds(microseconds));
  co_await timer.async_wait(asio::use_awaitable);
}

// On the helpers' pool.
asio::awaitable<int> compute(std::uint32_t luck) {
  if (luck % 4 == 0) {
    co_await rest(luck / 4 % 2000);
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(luck / 4 % 300));
  }
  co_return static_cast<int>(luck % 100);
}

asio::awaitable<int> do_deed(deed what, std::uint32_t luck, worker::state& s) {
  int result = 0;
  switch (what) {
    case deed::wait: co_await rest(luck % 3000); break;
    case deed::leave: {
      note(count::handlers_away);
      asio::any_io_executor pool = s.all->helpers.executor;
      // With an empty slot, as docs/guarantees.md says: an exit signal must not reach the helper's thread.
      result = co_await asio::co_spawn(
          pool, compute(luck), asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
      break;
    }
    case deed::block:
      if (s.may_block) {
        note(count::handlers_blocked);
        std::this_thread::sleep_for(std::chrono::microseconds(1000 + luck % 2000));
      }
      break;
    case deed::ask: {
      worker_ref other = s.all->pick(s.random);
      if (other) {
        try {
          result = co_await otpp::call_for<worker::quick>(other, std::chrono::milliseconds(luck % 20), 1);
        } catch (const otpp::error&) {
          // It has ended, is busy, or waits for this one.
        }
      }
      break;
    }
    case deed::start: co_await start_worker(s.all, luck); break;
    case deed::hold:
      if (s.held.size() > 4) {
        s.held.clear();
      }
      s.held.push_back(s.all->pick(s.random));
      break;
    default: break;
  }
  co_return result;
}

// Also says whether the handler was cancelled; that must go on to the library.
struct handler_frame {
  explicit handler_frame() = default;
  handler_frame(const handler_frame&) = delete;
  handler_frame& operator=(const handler_frame&) = delete;
  ~handler_frame() {
    if (!has_returned) {
      note(count::handlers_cancelled);
    }
  }
  bool has_returned = false;
};

} // namespace

asio::awaitable<worker::state_type> worker::init(world* all, bool may_block, std::uint32_t luck) {
  if (luck % 16 == 0) {
    co_await rest(luck / 16 % 500);
  } else if (luck % 64 == 1) {
    throw std::runtime_error("this one does not start");
  }
  if (luck % 4 == 1) {
    otpp::trap_exit();
  }
  co_return std::make_unique<state>(*all, may_block, luck);
}

void worker::terminate(const otpp::exit_reason&, state_type& s) {
  for (otpp::caller<int>& from : s->kept) {
    from.reply(1);
  }
}

int worker::handle_call(quick m, state_type& s) {
  if (m.n == 2 && !s->kept.empty()) {
    s->kept.pop_back(); // unanswered
  }
  return m.n;
}

void worker::handle_call(keep m, otpp::caller<int> from, state_type& s) {
  switch (m.luck % 8) {
    case 0: break; // destroyed unanswered
    case 1:
    case 2: s->kept.push_back(std::move(from)); break;
    case 3: from.reply(3); break;
    default: s->all->leave_call(std::move(from));
  }
  if (s->kept.size() > 8) {
    s->kept.clear();
  }
}

asio::awaitable<otpp::outcome<int>> worker::handle_call(job m, state_type& s) {
  handler_frame frame;
  int result = co_await do_deed(m.what, m.luck, *s);
  frame.has_returned = true;
  if (m.what == deed::crash) {
    throw std::runtime_error("a job that crashes");
  }
  if (m.what == deed::stop) {
    co_return otpp::stop(otpp::exit_reason::shutdown(), 4);
  }
  co_return result;
}

asio::awaitable<otpp::outcome<>> worker::handle_cast(order m, state_type& s) {
  handler_frame frame;
  co_await do_deed(m.what, m.luck, *s);
  frame.has_returned = true;
  if (m.what == deed::crash) {
    throw std::runtime_error("an order that crashes");
  }
  if (m.what == deed::stop) {
    co_return otpp::stop();
  }
  co_return otpp::outcome<>();
}

void worker::handle_cast(relate m, state_type& s) {
  worker_ref other = s->all->pick(s->random);
  otpp::pid who = other ? otpp::pid(other) : otpp::pid();
  std::string group = "group " + std::to_string(m.luck / 16 % 3);
  switch (who ? m.luck % 12 : 9 + m.luck % 3) {
    case 0:
    case 1:
      if (s->monitors.size() > 8) {
        s->monitors.clear(); // they go on
      }
      s->monitors.push_back(otpp::monitor(who));
      break;
    case 2:
      if (!s->monitors.empty()) {
        otpp::demonitor(s->monitors.back());
        s->monitors.pop_back();
      }
      break;
    case 3:
    case 4: otpp::link(who); break;
    case 5: otpp::unlink(who); break;
    case 6: otpp::exit(who, otpp::exit_reason::shutdown()); break;
    case 7:
      if (s->timers.size() > 8) {
        s->timers.clear();
      }
      s->timers.push_back(otpp::send_after<tick>(std::chrono::microseconds(m.luck / 16 % 3000), other, 1));
      break;
    case 8:
      if (!s->timers.empty()) {
        s->timers.back().cancel();
        s->timers.pop_back();
      }
      break;
    case 9: otpp::pg::global().join(group, otpp::self()); break;
    case 10: otpp::pg::global().leave(group, otpp::self()); break;
    default: otpp::trap_exit(m.luck / 16 % 2 == 0);
  }
}

void worker::handle_info(tick, state_type&) { note(count::ticks); }

void worker::handle_info(otpp::down m, state_type& s) {
  note(count::downs);
  std::erase(s->monitors, m.ref);
}

void worker::handle_info(otpp::exit_signal, state_type&) { note(count::exit_signals); }

asio::awaitable<worker_ref> start_at(world* all, home where, std::uint32_t luck) {
  bool may_block = where.may_block;
  worker_ref made = co_await otpp::start<worker>(std::move(where.how), all, may_block, luck);
  note(count::servers);
  co_return made;
}

asio::awaitable<void> start_worker(world* all, std::uint32_t luck) {
  dice random(luck);
  std::size_t slot = random.below(world::slots);
  home where = all->pick_home(random);
  if (random.below(4) == 0) {
    where.how.name("worker " + std::to_string(random.below(6)));
  }
  where.how.mailbox_limit(random.below(4) == 0 ? 3 : 0);
  bool has_failed = false;
  try {
    worker_ref made = co_await start_at(all, std::move(where), random.roll());
    all->put(slot, std::move(made));
  } catch (const std::system_error& error) {
    if (error.code() == asio::error::operation_aborted) {
      throw; // a handler in which this runs must not swallow it
    }
    has_failed = true;
  } catch (const std::exception&) {
    has_failed = true;
  }
  if (has_failed) {
    note(count::start_failures);
  }
}

} // namespace lifetimes
