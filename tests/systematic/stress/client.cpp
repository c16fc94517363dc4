// SPDX-License-Identifier: BSL-1.0

#include "client.hpp"

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

namespace {

template <class M>
constexpr const char* asking() {
  if constexpr (std::is_same_v<M, node::ask>)
    return "ask";
  if constexpr (std::is_same_v<M, node::ask_slow>)
    return "ask_slow";
  if constexpr (std::is_same_v<M, node::ask_later>)
    return "ask_later";
  if constexpr (std::is_same_v<M, node::ask_never>)
    return "ask_never";
  if constexpr (std::is_same_v<M, node::ask_fail>)
    return "ask_fail";
  if constexpr (std::is_same_v<M, node::ask_crash>)
    return "ask_crash";
  if constexpr (std::is_same_v<M, node::ask_quit>)
    return "ask_quit";
  if constexpr (std::is_same_v<M, node::ask_self>)
    return "ask_self";
  return "ask what nobody takes";
}

} // namespace

asio::awaitable<void> client::live() {
  counted_frame frame;
  while (!all.over.load(std::memory_order_relaxed)) {
    auto slot = static_cast<std::uint32_t>(random.below(all.boxes.size()));
    if (is_gone(slot)) {
      now("start", slot);
      if (random.below(4) == 0) {
        co_await start_here(slot);
      } else {
        start_somewhere(slot);
        co_await asio::post(executor, asio::use_awaitable);
      }
      continue;
    }
    std::int64_t messages = 1;
    switch (random.below(64)) {
      case 0: co_await end(slot); break;
      case 1: co_await ask<node::ask_slow>(slot, short_patience()); break;
      case 2: co_await ask<node::ask_never>(slot, short_patience()); break;
      case 3: co_await cancel(slot); break;
      case 4: co_await look_for(slot); break;
      case 5:
      case 6: co_await ask<node::ask_later>(slot, patient); break;
      case 7:
      case 8: co_await ask<node::ask_slow>(slot, patient); break;
      case 9: co_await ask<node::ask_self>(slot, patient); break;
      case 10: co_await ask<node::ask_fail>(slot, patient); break;
      case 11:
      case 12: co_await ask_by_name<node::ask>(slot); break;
      case 13: co_await ask_by_name<node::ask_slow>(slot); break;
      case 14: co_await ask_by_name<node::alien>(slot); break;
      case 15:
      case 16:
      case 17:
      case 18:
        if (outstanding.load(std::memory_order_relaxed) < 256) {
          now("call with callbacks", slot);
          call_many(slot);
          messages = 8;
        }
        break;
      case 19: try_to_cast<node::answer_held>(routes[slot]); break;
      case 20: {
        // The same name started while it is there, or just going.
        start_somewhere(slot);
        break;
      }
      default: {
        std::uint32_t size = 1 + random.below(48);
        messages = size + 1;
        co_await burst(slot, size);
      }
    }
    all.issued_some(messages);
  }
  co_await roll_call();
  now("finished", 0);
}

template <class M>
bool client::try_to_cast(route& to) {
  note(count::casts_sent);
  header h = to.next_cast(sender, life, random.roll());
  if (otpp::try_cast<M>(*to.ref, h)) {
    ++to.seq;
    return true;
  }
  note(count::casts_refused);
  return false;
}

// Casts and infos, in every way there is; then a call, so that nobody floods anybody.
asio::awaitable<void> client::burst(std::uint32_t slot, std::uint32_t size) {
  now("burst", slot);
  route& to = routes[slot];
  std::uint32_t way = random.below(8);
  std::string_view name = all.boxes[slot].name;
  for (std::uint32_t n = 0; n != size; ++n) {
    if (way < 4) {
      bool sent = false;
      std::uint32_t which = random.below(32);
      if (which == 0) {
        sent = try_to_cast<node::slow_letter>(to);
      } else if (which < 4) {
        sent = try_to_cast<node::relay>(to);
      } else {
        sent = try_to_cast<node::letter>(to);
      }
      if (!sent) {
        break;
      }
      continue;
    }
    note(count::casts_sent);
    header h = to.next_cast(sender, life, random.roll());
    bool failed = false;
    try {
      switch (way) {
        case 4: co_await otpp::cast<node::letter>(*to.ref, h); break;
        case 5:
          if (h.luck % 8 == 0) {
            co_await otpp::send<node::slow_letter>(*to.ref, h);
          } else {
            co_await otpp::send<node::letter>(*to.ref, h);
          }
          break;
        case 6:
          h.by_name = true;
          if (h.luck % 2 == 0) {
            co_await otpp::cast<node::letter>(name, h);
          } else {
            failed = !otpp::try_send<node::letter>(otpp::server_name<node>(name), h);
          }
          break;
        default: failed = !otpp::try_send<node::letter>(*to.ref, h);
      }
    } catch (const otpp::error&) {
      failed = true;
    }
    if (failed) {
      note(count::casts_refused);
      break;
    }
    ++to.seq;
  }
  header h = to.next_call(sender, life, random.roll());
  co_await ask<node::ask>(*to.ref, patient, h);
}

template <class M, class Address>
asio::awaitable<void> client::ask(Address to, otpp::duration patience, header h) {
  call_guard guard(where.closing);
  std::exception_ptr error;
  try {
    node::answer_type answer = co_await otpp::call_for<M>(to, patience, h);
    guard.answer(answer, h.answer());
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    guard.fail(error, patience);
  }
}

template <class M>
asio::awaitable<void> client::ask(std::uint32_t slot, otpp::duration patience) {
  now(asking<M>(), slot);
  route& to = routes[slot];
  header h = to.next_call(sender, life, random.roll());
  co_await ask<M>(*to.ref, patience, h);
}

template <class M>
asio::awaitable<void> client::ask_by_name(std::uint32_t slot) {
  now(asking<M>(), slot);
  header h = routes[slot].next_call(sender, life, random.roll());
  h.by_name = true;
  std::string_view name = all.boxes[slot].name;
  if constexpr (!std::is_same_v<M, node::alien>) {
    if (h.luck % 2 == 0) {
      co_await ask<M>(otpp::server_name<node>(name), patient, h);
      co_return;
    }
  }
  co_await ask<M>(name, patient, h);
}

template <class M>
void client::call_back(route& to, header h, otpp::duration patience) {
  if (h.luck % 4 == 0) {
    // With no executor of its own it is run on the server's.
    otpp::call_for<M>(
        *to.ref, patience, h, on_answer{pending(*this, to.where->closing), h.answer(), patience});
  } else {
    otpp::call_for<M>(
        *to.ref, patience, h,
        asio::bind_executor(executor, on_answer{pending(*this, where.closing), h.answer(), patience}));
  }
}

// Calls that nobody waits for, with casts between them.
void client::call_many(std::uint32_t slot) {
  route& to = routes[slot];
  for (int n = 0; n != 4; ++n) {
    header h = to.next_call(sender, life, random.roll());
    switch (random.below(8)) {
      case 0: call_back<node::ask_slow>(to, h, patient); break;
      case 1: call_back<node::ask_later>(to, h, patient); break;
      case 2: call_back<node::ask_never>(to, h, short_patience()); break;
      case 3: call_back<node::ask_slow>(to, h, short_patience()); break;
      default: call_back<node::ask>(to, h, patient);
    }
    try_to_cast<node::letter>(to);
  }
}

asio::awaitable<void> client::cancel(std::uint32_t slot) {
  if (!alone) {
    co_return;
  }
  now("cancel", slot);
  route& to = routes[slot];
  std::atomic<bool> ended{false};
  if (random.below(2) == 0) {
    header h = to.next_call(sender, life, random.roll());
    auto token = [&](auto handler) {
      return asio::bind_cancellation_slot(signal_.slot(), asio::bind_executor(executor, std::move(handler)));
    };
    auto on_end = [&ended, answer = on_answer{pending(*this, where.closing), h.answer(), patient}](
                      std::exception_ptr error, node::answer_type value) mutable {
      answer(std::move(error), value);
      ended = true;
    };
    if (random.below(2) == 0) {
      otpp::call_for<node::ask_never>(*to.ref, patient, h, token(std::move(on_end)));
    } else {
      otpp::call_for<node::ask_slow>(*to.ref, patient, h, token(std::move(on_end)));
    }
  } else {
    // Waits only where the mailbox is full; taken out of the line, it has not been sent.
    note(count::casts_sent);
    header h = to.next_cast(sender, life, random.roll());
    otpp::cast<node::letter>(
        *to.ref, h,
        asio::bind_cancellation_slot(
            signal_.slot(), asio::bind_executor(executor, [&ended, &to](std::exception_ptr error) {
              if (error) {
                note(count::casts_refused);
              } else {
                ++to.seq;
              }
              ended = true;
            })));
  }
  if (random.below(2) == 0) {
    asio::steady_timer timer(executor, std::chrono::microseconds(random.below(64)));
    co_await timer.async_wait(asio::use_awaitable);
  }
  signal_.emit(asio::cancellation_type::terminal);
  while (!ended) {
    co_await asio::post(executor, asio::use_awaitable);
  }
}

asio::awaitable<void> client::look_for(std::uint32_t slot) {
  now("look for", slot);
  const std::string& name = all.boxes[slot].name;
  std::optional<node_ref> found = otpp::whereis<node>(name);
  note(found ? count::names_found : count::names_missed);
  bool missed = false;
  try {
    node_ref server = co_await otpp::wait_for_name<node>(name, short_patience());
    note(count::names_found);
  } catch (const otpp::error& error) {
    missed = true;
    note(error.code() == otpp::errc::timeout ? count::names_missed : count::unexpected);
  }
  if (missed && random.below(4) == 0 && !is_gone(slot)) {
    // A name that nobody has, given away and taken back.
    std::string other = name + " also";
    try {
      otpp::register_name(other, *routes[slot].ref);
      otpp::unregister_name(other);
    } catch (const otpp::error&) {
      // Another has it at the moment, or the server has ended.
    }
  }
}

// Ends a server in one of the ways there are.
asio::awaitable<void> client::end(std::uint32_t slot) {
  route& to = routes[slot];
  node_ref server = *to.ref;
  bool has_ended = true;
  switch (random.below(8)) {
    case 0: co_await ask<node::ask_crash>(slot, patient); break;
    case 1: co_await ask<node::ask_quit>(slot, patient); break;
    case 2:
      now("poison", slot);
      has_ended = try_to_cast<node::poison>(to);
      if (has_ended) {
        otpp::exit_reason why = co_await server.join();
        note(count::joins);
      }
      break;
    case 3: {
      now("stop in a hurry", slot);
      try {
        co_await server.stop(otpp::exit_reason::shutdown(), short_patience());
        note(count::stops);
      } catch (const otpp::error& error) {
        has_ended = error.code() != otpp::errc::timeout;
      }
      break;
    }
    case 4: {
      now("kill", slot);
      otpp::kill(server);
      otpp::exit_reason why = co_await server.join();
      note(count::kills);
      break;
    }
    case 5: {
      now("exit", slot);
      otpp::exit(server, otpp::exit_reason::shutdown()); // which it traps
      has_ended = false;
      break;
    }
    default:
      now("stop", slot);
      try {
        co_await server.stop();
        note(count::stops);
      } catch (const otpp::error&) {
        // Another was faster.
      }
  }
  // A call may have found another server of that name ended, or the frame may have been refused; but
  // whoever has seen the end never finds the name.
  if (has_ended && server.has_ended()) {
    std::optional<node_ref> found = otpp::whereis<node>(all.boxes[slot].name);
    if (found && *found == server) {
      note(count::stale_names);
    }
  }
}

namespace {

// Counts a start from when it is asked for until it has ended, or is gone with its context.
struct starting {
  explicit starting(post_box& box) : of(&box) {}
  starting(starting&& other) noexcept : of(std::exchange(other.of, nullptr)) {}
  starting& operator=(starting&&) = delete;
  ~starting() {
    if (of) {
      --of->starting;
    }
  }
  post_box* of;
};

void note_failed_start(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const refused&) {
    // init threw
  } catch (const otpp::error& e) {
    if (e.code() == otpp::errc::name_taken) {
      note(count::start_races);
    } else if (e.code() != otpp::errc::exited && e.code() != otpp::errc::no_process) {
      note(count::unexpected);
    }
  } catch (...) {
    note(count::unexpected);
  }
}

struct on_start {
  template <class Server>
  void operator()(std::exception_ptr error, Server&&) {
    if (error) {
      note_failed_start(error);
    }
  }
  starting mine;
};

} // namespace

// Two at a time, to race for the name.
void client::start_somewhere(std::uint32_t slot) {
  post_box& box = all.boxes[slot];
  if (box.starting.fetch_add(1) >= 2) {
    --box.starting;
    return;
  }
  starting mine(box);
  std::uint32_t luck = random.roll();
  place* chosen = all.enter_some_place(luck / 16);
  if (!chosen) {
    return;
  }
  node::birth birth{&all, slot, chosen, random.roll()};
  otpp::options how = all.options_for(slot, luck).on(chosen->executor);
  on_start handler{std::move(mine)};
  if (luck % 16 < 8) {
    otpp::start<node>(std::move(how), birth, std::move(handler));
  } else {
    otpp::start<node>(std::move(how), birth, asio::bind_executor(executor, std::move(handler)));
  }
  chosen->leave();
}

asio::awaitable<void> client::start_here(std::uint32_t slot) {
  node::birth birth{&all, slot, &where, random.roll()};
  otpp::options how = all.options_for(slot, random.roll());
  std::exception_ptr error;
  try {
    node_ref server = co_await otpp::start<node>(std::move(how), birth);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    note_failed_start(error);
  }
}

// At the end each server is asked once, which shows whether the last casts have come.
asio::awaitable<void> client::roll_call() {
  for (std::uint32_t slot = 0; slot != all.boxes.size(); ++slot) {
    now("roll call", slot);
    if (!is_gone(slot)) {
      header h = routes[slot].next_call(sender, life, random.roll());
      co_await ask<node::ask>(*routes[slot].ref, patient, h);
    }
  }
}
