// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/registry/registry.hpp>

#include <asio/bind_executor.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "context.hpp"
#include "explorer.hpp"
#include "instrumented.hpp"
#include "started.hpp"

// Whole servers. They have so many points that three preemptions would take half a minute.
namespace {

using preemption::cell;
using preemption::entry;
using preemption::expect;

using kept_caller = std::shared_ptr<std::optional<otpp::caller<int>>>;

struct tally {
  struct add {
    int n;
    using reply_type = int;
  };
  struct keep {
    kept_caller where;
    using reply_type = int;
  };
  struct note {};

  struct state {
    cell<int> count{0};
  };

  state init() { return {}; }
  int handle_call(add what, state& all) { return all.count.write() += what.n; }
  void handle_call(keep what, otpp::caller<int> who, state&) { what.where->emplace(std::move(who)); }
  void handle_cast(note, state& all) { ++all.count.write(); }
};

// A server on one context, and one who calls it from another. Both are brought to where the scenario begins
// before there are threads.
struct house : preemption::scenario {
  preemption::context here;  // the server's
  preemption::context there; // the caller's
  otpp::registry names;
  std::optional<otpp::server_ref<tally>> server;
  int completed = 0;
  int awaited = 0;
  int errors = 0;
  int answer = 0;
  cell<int> caller{0}; // touched by what an answer resumes

  explicit house(bool with_name = false) {
    otpp::options how;
    how.in(names);
    if (with_name) {
      how.name("tally");
    }
    server = preemption::started<tally>(here, std::move(how));
  }

  auto told() {
    ++awaited;
    return asio::bind_executor(there.get_executor(), [this](std::exception_ptr error, int value) {
      ++caller.write();
      errors += error != nullptr;
      answer = error ? answer : value;
      came_to_an_end();
    });
  }
  auto told_of_the_end() {
    ++awaited;
    return asio::bind_executor(there.get_executor(), [this](std::exception_ptr error) {
      ++caller.write();
      expect(!error, "stopped in vain");
      came_to_an_end();
    });
  }
  void came_to_an_end() {
    if (++completed == awaited) {
      there.end();
      here.end();
    }
  }
  void finish() override {
    here.poll();
    expect(completed == awaited, "somebody waits forever");
  }
};

// The server's context is destroyed while another thread answers the call that it has accepted.
struct reply_or_evict : house {
  kept_caller kept = std::make_shared<std::optional<otpp::caller<int>>>();

  reply_or_evict() {
    otpp::call_for<tally::keep>(*server, otpp::infinite, kept, told());
    here.poll();
    expect(kept->has_value(), "not accepted");
  }
  void run(int thread) override {
    switch (thread) {
      case 1: there.run(); break;
      case 2: answered = (*kept)->reply(42); break;
      default: here.close(); break;
    }
  }
  void finish() override {
    house::finish();
    expect(errors == !answered && (!answered || answer == 42), "who answered, and who was answered, differ");
  }
  bool answered = false;
};
const entry reply_or_evict_entry("server.reply_or_evict", 3, 2, preemption::make<reply_or_evict>);

// The same, of one that drops its caller instead.
struct drop_or_evict : reply_or_evict {
  void run(int thread) override {
    if (thread == 2) {
      kept->reset();
    } else {
      reply_or_evict::run(thread);
    }
  }
};
const entry drop_or_evict_entry("server.drop_or_evict", 3, 2, preemption::make<drop_or_evict>);

// A call and a stop from two threads, one of which then runs the answers; the third runs the server.
struct call_or_stop : house {
  void run(int thread) override {
    switch (thread) {
      case 1: here.run(); break;
      case 2:
        otpp::call_for<tally::add>(*server, otpp::infinite, 1, std::move(answered));
        there.run();
        break;
      default: server->stop(std::move(stopped)); break;
    }
  }
  void finish() override {
    house::finish();
    expect(errors == 1 || answer == 1, "another answer");
  }
  decltype(std::declval<house&>().told()) answered = told();
  decltype(std::declval<house&>().told_of_the_end()) stopped = told_of_the_end();
};
const entry call_or_stop_entry("server.call_or_stop", 3, 2, preemption::make<call_or_stop>);

// A named server ends while another thread does something with its name.
struct named_until_stop : house {
  named_until_stop() : house(true) {}

  virtual void use_name() = 0;

  void run(int thread) override {
    switch (thread) {
      case 1: here.run(); break;
      case 2:
        server->stop(std::move(stopped));
        there.run();
        break;
      default: use_name(); break;
    }
  }
  void finish() override {
    house::finish();
    expect(!names.find("tally"), "the name is there after the end");
  }
  decltype(std::declval<house&>().told_of_the_end()) stopped = told_of_the_end();
};

// Another thread looks for it: after the end has been told nobody finds it.
struct name_or_stop : named_until_stop {
  void use_name() override {
    bool ended = completed == 1;
    bool found = static_cast<bool>(names.find("tally"));
    expect(!(ended && found), "the name is there after the end");
  }
};
const entry name_or_stop_entry("server.name_or_stop", 3, 2, preemption::make<name_or_stop>);

// Another thread takes its name away: each may find that the other has done it.
struct remove_or_stop : named_until_stop {
  void use_name() override {
    names.remove("tally");
    expect(!names.find("tally"), "the name is there after it was removed");
  }
};
const entry remove_or_stop_entry("server.remove_or_stop", 3, 2, preemption::make<remove_or_stop>);

} // namespace
