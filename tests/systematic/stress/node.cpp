// SPDX-License-Identifier: BSL-1.0

#include "node.hpp"

#include <cstdio>

#include "town.hpp"

call_guard::~call_guard() {
  if (gone_ && !has_ended_) {
    note(*gone_ ? count::abandoned : count::orphaned);
  }
}

void call_guard::fail(const std::exception_ptr& error, otpp::duration patience) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const refused&) {
    end(count::failed);
  } catch (const std::system_error& e) {
    if (e.code() == otpp::errc::exited) {
      end(count::exited);
    } else if (e.code() == otpp::errc::no_process) {
      end(count::no_process);
    } else if (e.code() == otpp::errc::timeout) {
      end(count::timed_out);
      note(count::late, patience == patient ? 1 : 0);
    } else if (e.code() == otpp::errc::no_reply) {
      end(count::no_reply);
    } else if (e.code() == otpp::errc::bad_message) {
      end(count::bad_message);
    } else if (e.code() == otpp::errc::calling_self) {
      end(count::calling_self);
    } else if (e.code() == otpp::errc::deadlock) {
      end(count::deadlock);
    } else if (e.code() == asio::error::operation_aborted) {
      end(count::cancelled);
    } else {
      end(count::unexpected);
    }
  } catch (...) {
    end(count::unexpected);
  }
}

node::state::state(const birth& b, std::uint64_t l)
    : all(b.all),
      slot(b.slot),
      where(b.where),
      life(l),
      box(&b.all->boxes[b.slot]),
      senders(b.all->senders),
      routes(b.all->boxes.size()) {
  note(count::states_made);
}

void node::complain(count bug, const char* what, const header& h, const state& s) noexcept {
  note(bug);
  static std::atomic<int> said{0};
  if (said++ < 20) {
    const seen& last = s.senders[h.sender];
    std::fprintf(
        stderr,
        "stress: %s: from sender %u, life %llu, seq %u, call %u, for life %llu%s; at server %u, life %llu, "
        "limit %zu, in %s; last from there: life %llu, seq %u, call %u\n",
        what, h.sender, static_cast<unsigned long long>(h.sender_life), h.seq, h.call,
        static_cast<unsigned long long>(h.to_life), h.by_name ? " by name" : "", s.slot,
        static_cast<unsigned long long>(s.life), s.box->limit.load(), s.box->doing.load(),
        static_cast<unsigned long long>(last.life), last.seq, last.call);
  }
}

asio::awaitable<std::unique_ptr<node::state>> node::init(birth b) {
  counted_frame frame;
  otpp::trap_exit();
  // Whoever runs init has the name: lives are numbered in the order of their names. It tells where it is
  // itself, because whoever starts it may be destroyed meanwhile; some do it early, and get messages
  // before they are ready.
  std::uint64_t life = ++b.all->lives;
  node_ref me = otpp::self<node>();
  if (b.luck % 8 < 4) {
    b.all->put(b.slot, me, life, b.where);
  }
  if (b.luck % 4 == 0) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }
  if (b.luck % 16 == 15) {
    note(count::init_failures);
    throw refused("init");
  }
  note(count::starts);
  b.all->put(b.slot, me, life, b.where);
  auto made = std::make_unique<state>(b, life);
  co_return std::move(made);
}

void node::terminate(const otpp::exit_reason&, state_type& s) {
  visit here(*s, "terminate");
  cast_on({0, static_cast<std::uint32_t>(s->life), 0, 0, 0, 0, false}, *s);
  if (s->life % 2 == 0) {
    s->held.clear(); // they hear why it ended, as those that are left in it
  }
}

void node::cast_on(const header& h, state& s) {
  std::uint32_t to = h.luck / 16 % static_cast<std::uint32_t>(s.routes.size());
  route& other = s.routes[to];
  s.all->refresh(other, to);
  if (!other.ref) {
    return;
  }
  note(count::casts_sent);
  header next = other.next_cast(s.slot, s.life, h.luck);
  if (otpp::try_cast<letter>(*other.ref, next)) {
    ++other.seq;
  } else {
    note(count::casts_refused);
  }
}

// Links it with another, monitors another, sets a timer, or gives one of these up.
void node::tie_on(const header& h, state& s) {
  std::uint32_t to = h.luck / 16 % static_cast<std::uint32_t>(s.routes.size());
  route& other = s.routes[to];
  s.all->refresh(other, to);
  if (!other.ref || to == s.slot) {
    return;
  }
  switch (h.luck / 4096 % 8) {
    case 0:
      otpp::link(*other.ref);
      note(count::links);
      break;
    case 1: otpp::unlink(*other.ref); break;
    case 2:
    case 3:
      s.monitors.push_back(otpp::monitor(*other.ref));
      note(count::monitors);
      break;
    case 4:
      if (!s.monitors.empty()) {
        otpp::demonitor(s.monitors.back());
        s.monitors.pop_back();
      }
      break;
    case 5:
    case 6: {
      std::uint64_t number = ++s.timers_set;
      auto patience = std::chrono::microseconds(h.luck / 32768 % 256);
      s.timers.emplace_back(number, otpp::send_after<tick>(patience, otpp::self<node>(), number));
      note(count::timers);
      break;
    }
    default:
      if (!s.timers.empty() && s.timers.back().second.cancel()) {
        s.timers.pop_back(); // else its message is on its way
      }
  }
}

void node::handle_info(otpp::down m, state_type& s) {
  visit here(*s, "down");
  note(count::downs);
  note(count::unwanted, std::erase(s->monitors, m.ref) == 1 ? 0 : 1);
}

void node::handle_info(otpp::exit_signal, state_type& s) {
  visit here(*s, "exit_signal");
  note(count::exit_signals);
}

void node::handle_info(tick m, state_type& s) {
  visit here(*s, "tick");
  note(count::ticks);
  auto is_it = [&m](const auto& one) { return one.first == m.number; };
  note(count::unwanted, std::erase_if(s->timers, is_it) == 1 ? 0 : 1);
}

void node::handle_cast(letter m, state_type& s) {
  visit here(*s, "letter");
  take_cast(m, *s);
}

void node::handle_info(letter m, state_type& s) {
  visit here(*s, "letter (info)");
  take_cast(m, *s);
}

asio::awaitable<void> node::handle_cast(slow_letter m, state_type& s) {
  visit here(*s, "slow_letter");
  counted_frame frame;
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
  take_cast(m, *s);
}

asio::awaitable<void> node::handle_info(slow_letter m, state_type& s) {
  visit here(*s, "slow_letter (info)");
  counted_frame frame;
  take_cast(m, *s);
  if (m.head.luck % 4 == 0) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }
}

void node::handle_cast(relay m, state_type& s) {
  visit here(*s, "relay");
  take_cast(m, *s);
  cast_on(m.head, *s);
  tie_on(m.head, *s);
}

void node::handle_cast(poison m, state_type& s) {
  visit here(*s, "poison");
  take_cast(m, *s);
  throw std::runtime_error("poison");
}

void node::handle_cast(answer_held m, state_type& s) {
  visit here(*s, "answer_held");
  take_cast(m, *s);
  for (auto& [from, value] : s->held) {
    note(from.reply(value) ? count::answered_elsewhere : count::late_answers);
  }
  s->held.clear();
}

void node::handle_cast(carry m, state_type& s) {
  visit here(*s, "carry");
  note(m.from.reply(m.value) ? count::answered_elsewhere : count::late_answers);
}

node::answer_type node::handle_call(ask m, state_type& s) {
  visit here(*s, "ask");
  take_call(m, *s);
  return m.head.answer();
}

asio::awaitable<node::answer_type> node::handle_call(ask_slow m, state_type& s) {
  visit here(*s, "ask_slow");
  counted_frame frame;
  take_call(m, *s);
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  std::uint32_t luck = m.head.luck;
  auto to = static_cast<std::uint32_t>(luck / 16 % s->routes.size());
  if (luck % 4 == 0) {
    co_await asio::post(executor, asio::use_awaitable);
  } else if (luck % 4 == 1) {
    asio::steady_timer timer(executor, std::chrono::microseconds(luck / 16 % 64));
    co_await timer.async_wait(asio::use_awaitable);
  } else if (luck % 4 == 2 && to > s->slot) {
    // Upwards only, so that no two wait for each other.
    route& other = s->routes[to];
    s->all->refresh(other, to);
    if (other.ref) {
      here.in.box->waits_for.store(static_cast<int>(to), std::memory_order_relaxed);
      call_guard guard(s->where->closing);
      header h = other.next_call(s->slot, s->life, luck);
      std::exception_ptr error;
      try {
        answer_type answer = co_await otpp::call_for<ask>(*other.ref, patient, h);
        guard.answer(answer, h.answer());
      } catch (...) {
        error = std::current_exception();
      }
      if (error) {
        guard.fail(error, patient);
      }
      here.in.box->waits_for.store(-1, std::memory_order_relaxed);
    }
  }
  co_return m.head.answer();
}

void node::handle_call(ask_later m, caller_type from, state_type& s) {
  visit here(*s, "ask_later");
  take_call(m, *s);
  std::uint32_t luck = m.head.luck;
  answer_type answer = m.head.answer();
  switch (luck % 8) {
    case 0: return; // dropped
    case 1: from.reply(answer); return;
    case 2: from.fail(refused("later")); return;
    case 3:
    case 4: { // another server answers, on another context or this
      auto to = static_cast<std::uint32_t>(luck / 16 % s->routes.size());
      route& other = s->routes[to];
      s->all->refresh(other, to);
      if (other.ref) {
        // Refused, it is dropped, and its caller told so.
        otpp::try_cast<carry>(*other.ref, std::move(from), answer);
      }
      return;
    }
    default: {
      std::lock_guard lock(s->all->bin_mutex);
      s->all->bin.emplace_back(std::move(from), answer);
      s->all->bin_changed.notify_one();
      return;
    }
  }
}

// Answered by another message, or never; who asks this is in a hurry.
void node::handle_call(ask_never m, caller_type from, state_type& s) {
  visit here(*s, "ask_never");
  take_call(m, *s);
  if (m.head.luck % 2 == 0) {
    s->held.emplace_back(std::move(from), m.head.answer());
    if (s->held.size() > 16) {
      s->held.clear();
    }
  } else {
    s->unanswered.push_back(std::move(from));
    if (s->unanswered.size() > 16) {
      s->unanswered.clear();
    }
  }
}

otpp::outcome<node::answer_type> node::handle_call(ask_fail m, state_type& s) {
  visit here(*s, "ask_fail");
  take_call(m, *s);
  return otpp::fail(refused("fail"));
}

node::answer_type node::handle_call(ask_crash m, state_type& s) {
  visit here(*s, "ask_crash");
  take_call(m, *s);
  throw std::runtime_error("crash");
}

otpp::outcome<node::answer_type> node::handle_call(ask_quit m, state_type& s) {
  visit here(*s, "ask_quit");
  take_call(m, *s);
  return otpp::stop(otpp::exit_reason::shutdown(), m.head.answer());
}

asio::awaitable<node::answer_type> node::handle_call(ask_self m, state_type& s) {
  visit here(*s, "ask_self");
  counted_frame frame;
  take_call(m, *s);
  node_ref me = otpp::self<node>();
  call_guard guard(s->where->closing);
  std::exception_ptr error;
  try {
    answer_type answer = co_await otpp::call_for<ask>(me, patient, m.head);
    guard.answer(answer, answer + 1);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    guard.fail(error, patient);
  }
  co_return m.head.answer();
}
