// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/outcome.hpp>

#include "support/event.hpp"

#include <asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

// What was done, in order, as words with spaces between. Copies are the same journal.
class journal {
 public:
  void add(const std::string& word) const {
    if (!words_->empty()) {
      *words_ += ' ';
    }
    *words_ += word;
  }
  const std::string& text() const { return *words_; }

 private:
  std::shared_ptr<std::string> words_ = std::make_shared<std::string>();
};

struct boom : std::runtime_error {
  boom() : std::runtime_error("boom") {}
};

// Throws at its n-th copy or move.
struct fragile {
  std::shared_ptr<int> left;

  fragile() = default;
  explicit fragile(std::shared_ptr<int> n) : left(std::move(n)) {}
  fragile(const fragile& other) : left(other.left) { step(); }
  fragile(fragile&& other) : left(other.left) { step(); }

 private:
  void step() const {
    if (left && (*left)-- == 0) {
      throw boom();
    }
  }
};

// Where a test finds the caller that a server keeps.
using kept_caller = std::shared_ptr<std::optional<otpp::caller<int>>>;
inline kept_caller keep_caller() { return std::make_shared<std::optional<otpp::caller<int>>>(); }

// A server that writes down what it is told, and can be told to do most of what a server can do.
struct scribe {
  struct state {
    journal said;
    bool was_moved = false;

    explicit state(journal where) : said(std::move(where)) {}
    state(state&& other) noexcept : said(other.said) { other.was_moved = true; }
    state& operator=(state&&) = delete;
  };

  // Calls. Each answers with its number.
  struct ask {
    int n;
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  struct wait { // answers when it happens
    event until;
    using reply_type = int;
  };
  struct keep { // answers when the test does
    kept_caller where;
    using reply_type = int;
  };
  struct drop { // never answers
    using reply_type = int;
  };
  struct quit { // ends the server, with an answer
    int n;
    using reply_type = int;
  };
  struct leave { // ends the server, without an answer
    otpp::exit_reason why;
    using reply_type = int;
  };
  struct refuse { // answers with an exception
    using reply_type = int;
  };

  // Casts and infos.
  struct note {
    std::string word;
  };
  struct crash_later {};
  struct hold {
    event until;
  };

  using messages =
      otpp::message_list<ask, crash, wait, keep, drop, quit, leave, refuse, note, crash_later, hold>;

  state init(journal where) { return state(std::move(where)); }

  int handle_call(ask m, state& s) {
    s.said.add("ask" + std::to_string(m.n));
    return m.n;
  }
  int handle_call(crash, state& s) {
    s.said.add("crash");
    throw boom();
  }
  asio::awaitable<int> handle_call(wait m, state& s) {
    s.said.add("wait");
    co_await m.until.wait();
    s.said.add("waited");
    co_return 1;
  }
  void handle_call(keep m, otpp::caller<int> from, state& s) {
    s.said.add("keep");
    m.where->emplace(std::move(from));
  }
  void handle_call(drop, otpp::caller<int>, state& s) { s.said.add("drop"); }
  otpp::outcome<int> handle_call(quit m, state& s) {
    s.said.add("quit");
    return otpp::stop(otpp::exit_reason::normal(), m.n);
  }
  otpp::outcome<int> handle_call(leave m, state& s) {
    s.said.add("leave");
    return otpp::stop(m.why);
  }
  otpp::outcome<int> handle_call(refuse, state& s) {
    s.said.add("refuse");
    return otpp::fail(boom());
  }

  void handle_cast(note m, state& s) { s.said.add(m.word); }
  void handle_cast(crash_later, state& s) {
    s.said.add("crash");
    throw boom();
  }
  asio::awaitable<void> handle_cast(hold m, state& s) {
    s.said.add("hold");
    co_await m.until.wait();
    s.said.add("held");
  }

  void handle_info(note m, state& s) { s.said.add("info-" + m.word); }
  void handle_info(crash_later, state& s) {
    s.said.add("crash");
    throw boom();
  }

  void terminate(const otpp::exit_reason& reason, state& s) {
    s.said.add((s.was_moved ? "moved-terminate:" : "terminate:") + reason.message());
  }
};
