// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/otpp.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tally.hpp"

// The server under stress, what is said to it, and what is known of each of them.

struct town;
struct place;
struct node;
using node_ref = otpp::server_ref<node>;

using namespace std::chrono_literals;

// A call that may take this long and takes longer has been lost: no machine is that slow.
inline constexpr otpp::duration patient = 60s;

// What every message carries. Of one sender, the casts that a server has accepted are numbered without a
// gap; a call has the number of the cast before it, and a growing number of its own.
struct header {
  std::uint32_t sender = 0;
  std::uint32_t luck = 0; // what the receiver is to do, where it has a choice
  std::uint64_t sender_life = 0;
  std::uint64_t to_life = 0;
  std::uint32_t seq = 0;
  std::uint32_t call = 0;
  bool by_name = false;

  std::int64_t answer() const noexcept { return (std::int64_t{seq} << 20) ^ luck; }
};

class cargo {
 public:
  explicit cargo(const header& h) noexcept : head(h), is_here_(true) { note(count::made); }
  cargo(cargo&& other) noexcept : head(other.head), is_here_(std::exchange(other.is_here_, false)) {}
  cargo& operator=(cargo&&) = delete;
  ~cargo() {
    if (is_here_) {
      note(count::unopened);
    }
  }
  void open() noexcept {
    is_here_ = false;
    note(count::opened);
  }

  header head;

 private:
  bool is_here_;
};

// A sender's view of one server.
struct route {
  std::optional<node_ref> ref;
  place* where = nullptr;
  std::uint64_t life = 0;
  std::uint32_t seq = 0;
  std::uint32_t calls = 0;

  header next_cast(std::uint32_t sender, std::uint64_t sender_life, std::uint32_t luck) const noexcept {
    return {sender, luck, sender_life, life, seq + 1, 0, false};
  }
  header next_call(std::uint32_t sender, std::uint64_t sender_life, std::uint32_t luck) noexcept {
    return {sender, luck, sender_life, life, seq, ++calls, false};
  }
};

// Where one server is, for all who look for it.
struct post_box {
  std::string name;
  std::atomic<std::uint64_t> life{0}; // of `ref`
  std::mutex mutex;
  std::optional<node_ref> ref;
  place* where = nullptr;
  std::atomic<int> starting{0};
  std::atomic<std::size_t> limit{0};
  // For the watchdog.
  std::atomic<const char*> doing{nullptr};
  std::atomic<int> waits_for{-1};
};

// Counts one call from its beginning to its end, wherever it ends.
class call_guard {
 public:
  explicit call_guard(const std::atomic<bool>& gone) noexcept : gone_(&gone) { note(count::begun); }
  call_guard(call_guard&& other) noexcept
      : gone_(std::exchange(other.gone_, nullptr)), has_ended_(other.has_ended_) {}
  call_guard& operator=(call_guard&&) = delete;
  ~call_guard();

  void end(count how) noexcept {
    note(how);
    if (std::exchange(has_ended_, true)) {
      note(count::ended_twice);
    }
  }
  void answer(std::int64_t value, std::int64_t expected) noexcept {
    end(count::answered);
    if (value != expected) {
      note(count::wrong_answers);
    }
  }
  void fail(const std::exception_ptr& error, otpp::duration patience) noexcept;

 private:
  const std::atomic<bool>* gone_; // whether the context on which the caller waits is being destroyed
  bool has_ended_ = false;
};

struct counted_frame {
  counted_frame() noexcept { note(count::frames_made); }
  counted_frame(const counted_frame&) = delete;
  counted_frame& operator=(const counted_frame&) = delete;
  ~counted_frame() { note(count::frames_gone); }
};

struct refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct node {
  using answer_type = std::int64_t;
  using caller_type = otpp::caller<answer_type>;

  // casts and infos
  struct letter : cargo {
    using cargo::cargo;
  };
  struct slow_letter : cargo {
    using cargo::cargo;
  };
  struct relay : cargo {
    using cargo::cargo;
  }; // makes the server cast to another
  struct poison : cargo {
    using cargo::cargo;
  }; // makes it crash
  struct answer_held : cargo {
    using cargo::cargo;
  }; // makes it answer the calls it has left
  struct carry { // somebody else's call to be answered
    caller_type from;
    answer_type value;
  };
  struct tick {
    std::uint64_t number;
  }; // of a timer of its own
  struct alien : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  }; // nobody takes it

  // calls
  struct ask : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_slow : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_later : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_never : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_fail : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_crash : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_quit : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };
  struct ask_self : cargo {
    using cargo::cargo;
    using reply_type = answer_type;
  };

  using messages = otpp::message_list<letter, slow_letter, ask, ask_slow, ask_later>;

  struct birth {
    town* all;
    std::uint32_t slot;
    place* where;
    std::uint32_t luck;
  };

  struct seen {
    std::uint64_t life = 0;
    std::uint32_t seq = 0;
    std::uint32_t call = 0;
  };

  struct state {
    explicit state(const birth& b, std::uint64_t life);
    state(const state&) = delete;
    state& operator=(const state&) = delete;
    ~state() { note(count::states_gone); }

    town* all;
    std::uint32_t slot;
    place* where;
    std::uint64_t life;
    post_box* box;
    std::vector<seen> senders;
    std::vector<route> routes; // to the other servers
    std::vector<std::pair<caller_type, answer_type>> held;
    std::vector<caller_type> unanswered;
    std::vector<otpp::monitor_ref> monitors;                       // that are to tell something still
    std::vector<std::pair<std::uint64_t, otpp::timer_ref>> timers; // the same
    std::uint64_t timers_set = 0;
    std::atomic<int> inside{0};
  };
  using state_type = std::unique_ptr<state>;

  asio::awaitable<std::unique_ptr<state>> init(birth b);
  void terminate(const otpp::exit_reason& why, state_type& s);

  void handle_cast(letter m, state_type& s);
  asio::awaitable<void> handle_cast(slow_letter m, state_type& s);
  void handle_cast(relay m, state_type& s);
  void handle_cast(poison m, state_type& s);
  void handle_cast(answer_held m, state_type& s);
  void handle_cast(carry m, state_type& s);
  void handle_info(letter m, state_type& s);
  asio::awaitable<void> handle_info(slow_letter m, state_type& s);
  void handle_info(otpp::down m, state_type& s);
  void handle_info(otpp::exit_signal m, state_type& s);
  void handle_info(tick m, state_type& s);

  answer_type handle_call(ask m, state_type& s);
  asio::awaitable<answer_type> handle_call(ask_slow m, state_type& s);
  void handle_call(ask_later m, caller_type from, state_type& s);
  void handle_call(ask_never m, caller_type from, state_type& s);
  otpp::outcome<answer_type> handle_call(ask_fail m, state_type& s);
  answer_type handle_call(ask_crash m, state_type& s);
  otpp::outcome<answer_type> handle_call(ask_quit m, state_type& s);
  asio::awaitable<answer_type> handle_call(ask_self m, state_type& s);

  // One handler at a time: a coroutine counts until it ends.
  struct visit {
    visit(state& s, const char* what) noexcept : in(s) {
      if (in.inside.fetch_add(1, std::memory_order_relaxed) != 0) {
        note(count::overlapping);
      }
      in.box->doing.store(what, std::memory_order_relaxed);
    }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit() {
      in.box->doing.store(nullptr, std::memory_order_relaxed);
      in.inside.fetch_sub(1, std::memory_order_relaxed);
    }
    state& in;
  };

  static void take_cast(cargo& m, state& s) noexcept {
    m.open();
    note(count::casts_handled);
    if (seen* sender = find(m.head, s)) {
      std::uint32_t wanted = sender->seq + 1;
      if (m.head.seq == sender->seq) {
        complain(count::duplicated, "a cast came twice", m.head, s);
      } else if (m.head.seq < sender->seq) {
        complain(count::reordered, "a cast was overtaken", m.head, s);
      } else if (m.head.seq != wanted) {
        complain(count::lost, "casts are missing before this one", m.head, s);
      }
      sender->seq = m.head.seq > sender->seq ? m.head.seq : sender->seq;
    }
  }

  static void take_call(cargo& m, state& s) noexcept {
    m.open();
    note(count::calls_handled);
    if (seen* sender = find(m.head, s)) {
      if (m.head.seq < sender->seq) {
        complain(count::reordered, "a cast has overtaken this call", m.head, s);
      } else if (m.head.seq != sender->seq) {
        complain(count::lost, "casts are missing before this call", m.head, s);
      }
      if (m.head.call == sender->call) {
        complain(count::duplicated, "a call came twice", m.head, s);
      } else if (m.head.call < sender->call) {
        complain(count::reordered, "a call was overtaken by another", m.head, s);
      }
      sender->call = m.head.call;
    }
  }

  // Null for a message by name that was meant for the server before.
  static seen* find(const header& h, state& s) noexcept {
    if (h.to_life != s.life) {
      if (!h.by_name || h.to_life > s.life) {
        complain(count::misdelivered, "this was for another server", h, s);
      }
      return nullptr;
    }
    seen& sender = s.senders[h.sender];
    if (h.sender_life != sender.life) {
      if (h.sender_life < sender.life) {
        complain(count::reordered, "this sender had ended before", h, s);
        return nullptr;
      }
      sender = {h.sender_life, 0, 0};
    }
    return &sender;
  }

  static void complain(count bug, const char* what, const header& h, const state& s) noexcept;
  static void cast_on(const header& h, state& s);
  static void tie_on(const header& h, state& s);
};
