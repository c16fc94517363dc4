// SPDX-License-Identifier: BSL-1.0

// The one judge of all scenarios: it writes down what is sent, handled, destroyed, answered and ended, and
// knows what must be true of it, whatever the order. The invariants, by the names that the texts use:
//
//   I1  conservation: what was accepted is handled once, bounced to whoever waits, or dropped and counted
//   I2  each operation ends once, with one of the endings that it may have
//   I3  the messages of one sender are handled by one server in the order in which they were sent
//   I4  no two callbacks of a server at once; no two servers of one name at once
//   I5  a name does not lead to a server whose end somebody has seen
//   I6  nothing is left: messages, states, callers, blocks of memory
//   I7  no user code runs in a lock of the library's, nor anywhere but in its own server
//   I8  the stack does not grow with the number of messages
#pragma once

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace scenarios {

using namespace std::chrono_literals;
using otpp::testing::world;
using time_point = world::time_point;
using action = asio::awaitable<void>;

class oracle;
class sender;
template <bool EndsSlowly>
struct subject_of;
using subject = subject_of<false>;
using slow_end = subject_of<true>;
using ref = otpp::server_ref<subject>;

// ---- what can be done ----

// How an operation ended. A bit each, so that a set of them is a number.
enum ending : unsigned {
  open = 0,
  value = 1,        // an answer; of a cast, a stop and a join: done
  refused = 1 << 1, // the exception that the handler answered with, or that init threw
  exited = 1 << 2,
  timeout = 1 << 3,
  cancelled = 1 << 4,
  no_process = 1 << 5,
  no_reply = 1 << 6,
  mailbox_full = 1 << 7,
  bad_message = 1 << 8,
  calling_self = 1 << 9,
  name_taken = 1 << 10,
  ignored = 1 << 11,
  abandoned = 1 << 12, // its coroutine was destroyed, with its context
  deadlock = 1 << 13,
  unknown = 1 << 14
};
inline constexpr unsigned gone = exited | no_process; // what a call to a server that is stopped may end with

// What a handler, or init, is asked to do.
enum class deed {
  answer,
  crash,
  quit,         // stops, with an answer
  leave,        // stops, without one
  refuse,       // answers with an exception
  idle,         // answers, and wants its timeout after 10 ms
  idle_now,     // answers, and wants it at once
  chain,        // answers, and goes on with handle_continue
  keep,         // keeps the otpp::caller in the state
  keep_outside, // gives it to the test
  drop,         // drops it
  answer_twice,
  answer_and_crash,
  release,    // answers, and answers all that are kept
  relay,      // calls another server, and answers with its answer
  cast_on,    // casts to another server
  stop_other, // stops another server, and waits for its end
  call_self,
  stop_self,
  cast_self,
  start_other, // starts a server and stops it
  ignore       // of init
};

struct boom : std::runtime_error {
  boom() : std::runtime_error("boom") {}
};

// In each message: tells the oracle of its end, and perhaps does something there.
class stamp {
 public:
  stamp() = default;
  stamp(oracle& seen, int number, bool is_nosy = false) noexcept
      : seen_(&seen), number_(number), is_nosy_(is_nosy) {}
  stamp(stamp&& other) noexcept
      : seen_(std::exchange(other.seen_, nullptr)), number_(other.number_), is_nosy_(other.is_nosy_) {}
  stamp& operator=(stamp&&) = delete;
  ~stamp();

  int number() const noexcept { return number_; }

 private:
  oracle* seen_ = nullptr;
  int number_ = -1;
  bool is_nosy_ = false;
};

// With whom a handler has to do, and how long. It has constructors, for GCC 12.
struct detail {
  detail() {}
  explicit detail(int n) : steps(n) {}
  explicit detail(ref to, otpp::duration how_long = otpp::infinite) : other(std::move(to)), time(how_long) {}
  detail(ref to, int n) : other(std::move(to)), steps(n) {}

  /// The other may call back, or stop: then, and only then, it may be refused as a deadlock.
  detail in_a_ring() && {
    ring = deadlock;
    return std::move(*this);
  }

  std::optional<ref> other;
  otpp::duration time = otpp::infinite;
  int steps = 1; // how often a coroutine handler waits
  unsigned ring = 0;
};

// ---- the server ----

struct setup {
  setup(oracle& by, int number, deed wanted) : seen(&by), life(number), what(wanted) {}
  oracle* seen;
  int life;
  deed what;
};
struct slow_setup : setup {
  slow_setup(oracle& by, int number, deed wanted, int times) : setup(by, number, wanted), steps(times) {}
  int steps;
};

struct kept_caller {
  int number;
  otpp::caller<int> from;
};

class state {
 public:
  state(oracle& by, int number);
  state(state&& other) noexcept
      : seen(std::exchange(other.seen, nullptr)), life(other.life), kept(std::move(other.kept)) {}
  state& operator=(state&&) = delete;
  ~state();

  oracle* seen;
  int life;
  std::vector<kept_caller> kept;
};

// A callback that is running.
class step {
 public:
  step(state& in, const stamp* mark);
  step(oracle& seen, int life, const stamp* mark);
  step(const step&) = delete;
  step& operator=(const step&) = delete;
  ~step();

 private:
  oracle& seen_;
  int life_;
};

struct ask {
  stamp mark;
  deed what;
  detail how;
  using reply_type = int;
};
struct ask_slowly : ask {
  ask_slowly(stamp m, deed w, detail h) : ask{std::move(m), w, std::move(h)} {}
};
struct ask_later : ask {
  ask_later(stamp m, deed w, detail h) : ask{std::move(m), w, std::move(h)} {}
};
struct ask_later_slowly : ask {
  ask_later_slowly(stamp m, deed w, detail h) : ask{std::move(m), w, std::move(h)} {}
};
struct tell {
  stamp mark;
  deed what;
  detail how;
};
struct tell_slowly : tell {
  tell_slowly(stamp m, deed w, detail h) : tell{std::move(m), w, std::move(h)} {}
};
struct proceed {
  int times;
};

template <bool EndsSlowly>
struct subject_of {
  using state_type = state;
  using messages =
      otpp::message_list<ask, ask_slowly, ask_later, ask_later_slowly, tell, tell_slowly, otpp::timeout>;

  otpp::init_result<state> init(setup how);
  asio::awaitable<otpp::init_result<state>> init(slow_setup how);

  otpp::outcome<int> handle_call(ask m, state& s);
  asio::awaitable<otpp::outcome<int>> handle_call(ask_slowly m, state& s);
  void handle_call(ask_later m, otpp::caller<int> from, state& s);
  asio::awaitable<void> handle_call(ask_later_slowly m, otpp::caller<int> from, state& s);
  otpp::outcome<> handle_cast(tell m, state& s);
  asio::awaitable<otpp::outcome<>> handle_cast(tell_slowly m, state& s);
  otpp::outcome<> handle_info(tell m, state& s);
  otpp::outcome<> handle_info(otpp::timeout, state& s);
  otpp::outcome<> handle_continue(proceed m, state& s);
  std::conditional_t<EndsSlowly, action, void> terminate(const otpp::exit_reason& why, state& s);
};
template <>
void subject_of<false>::terminate(const otpp::exit_reason& why, state& s);
template <>
action subject_of<true>::terminate(const otpp::exit_reason& why, state& s);
extern template struct subject_of<false>;
extern template struct subject_of<true>;

// ---- the oracle ----

class oracle {
 public:
  enum class kind { call, cast, start, stop, join, wait };

  oracle();
  oracle(const oracle&) = delete;
  oracle& operator=(const oracle&) = delete;
  ~oracle();

  // What is wrong first is kept; explore() throws it.
  void violate(const std::string& what);
  const std::string& violation() const noexcept { return violation_; }
  void expect(bool holds, const char* what) {
    if (!holds) {
      violate(what);
    }
  }

  sender& make_sender();
  otpp::registry names;
  std::vector<kept_caller> kept_outside;
  std::optional<ref> last_words; // to whom the crash hook casts
  bool contexts_go = false;      // then a server may end without terminate
  bool is_bounded = false;       // then what waits in line was not accepted yet
  world* in = nullptr;
  std::uintptr_t outermost = 0; // the frame that runs it

  // A callback answers a call through an otpp::caller; `told` is what reply() said.
  void answered(int number, bool told);
  std::size_t deepest() const noexcept { return deepest_; }
  std::uint64_t id_of_name(std::string_view name) const;
  bool is_alive(std::uint64_t id) const;
  std::size_t handled() const noexcept { return order_; }

  // When nothing more happens, and when the world has gone.
  void check_quiet();
  void check_end();

 private:
  friend class sender;
  friend class stamp;
  friend class state;
  friend class step;
  template <bool>
  friend struct subject_of;
  friend struct operation;
  friend void crashed(const otpp::crash_report& report);

  static constexpr std::size_t most_senders = 24;

  struct life {
    std::string name;
    std::uint64_t id = 0;
    bool has_state = false;
    bool has_begun = false;
    bool in_callback = false;
    bool was_reported = false;
    int terminated = 0;
    int continues_due = 0;
    std::size_t dropped = 0;
    std::array<int, most_senders> last{}; // of each sender
    class sender* own = nullptr;          // as which its handlers send
    std::optional<time_point> idle_until;
  };

  struct record {
    kind what;
    int sender;
    int sequence;
    bool is_alive_message = false;
    bool may_be_lost = false; // sent by another than cast()
    std::uint64_t to = 0;
    unsigned may_end = 0;
    unsigned ended = open;
    int ends = 0;
    int handled = 0;
    int handled_by = -1;
    int destroyed = 0;
    int told = 0;
    int answer_told = 0;
  };

  int new_life(const std::string& name);
  class sender& sender_of(int life);
  int begin(kind what, sender& by, std::uint64_t to, unsigned may_end);
  void end(int number, unsigned how, int answer);
  void enter(int life, const stamp* mark);
  void wants_next(int life, deed what);
  void terminates(int life);
  void leave(int life);
  void state_begins(int life);
  void state_ends(int life);
  void message_ends(int number);
  void look_at_names(std::uint64_t gone_id, const char* seen_by);
  std::string describe(int number) const;
  const life* life_of(std::uint64_t id) const;

  std::string violation_;
  bool has_unmarked_casts_ = false;
  std::deque<life> lives_;
  std::deque<record> records_;
  std::deque<sender> senders_;
  std::size_t order_ = 0;
  std::size_t deepest_ = 0;
};

// One operation of a client, from its beginning to its end.
struct operation {
  operation(oracle& by, int which) : seen(by), number(which) {}
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  ~operation();
  ending end(std::exception_ptr error, int answer = 0);

  oracle& seen;
  int number;
  bool has_ended = false;
};

// Who sends. Each has its own order.
class sender {
 public:
  sender(oracle& by, int which) : seen(by), number(which) {}

  template <class Callbacks = subject>
  asio::awaitable<std::optional<otpp::server_ref<Callbacks>>> start(
      otpp::options how, unsigned may_end = value, deed what = deed::answer, int steps = 0);

  template <class M = ask, class To>
  asio::awaitable<ending> call(
      To to, deed what, unsigned may_end, otpp::duration time = otpp::infinite, detail how = detail());
  template <class M = tell, class To>
  asio::awaitable<ending> cast(To to, deed what, unsigned may_end, detail how = detail());
  template <class M = tell, class To>
  asio::awaitable<ending> send(To to, deed what, unsigned may_end);
  template <class To>
  ending try_cast(To to, deed what, unsigned may_end, bool is_nosy = false);
  template <class Callbacks>
  asio::awaitable<ending> stop(
      otpp::server_ref<Callbacks> to, unsigned may_end, otpp::duration time = otpp::infinite,
      otpp::exit_reason why = otpp::exit_reason::normal());
  template <class Callbacks>
  asio::awaitable<ending> join(otpp::server_ref<Callbacks> to, unsigned may_end = value);
  asio::awaitable<std::optional<ref>> wait(std::string name, otpp::duration time, unsigned may_end = value);
  // With a completion handler: ends once, or is destroyed with its context.
  void call_with_handler(asio::any_io_executor on, ref to, deed what, unsigned may_end, otpp::duration time);

  // Lets time go by.
  action sleep(otpp::duration time);

  oracle& seen;
  const int number;
  int sequence = 0;

 private:
  template <class Callbacks>
  static std::uint64_t id_of(const otpp::server_ref<Callbacks>& to) {
    return to.id();
  }
  template <class Callbacks>
  std::uint64_t id_of(const otpp::server_name<Callbacks>& to) const {
    return seen.id_of_name(to.name());
  }
};

// What a scenario plays on.
struct stage {
  stage(oracle& by, world& where) : seen(by), one(where) {}

  oracle& seen;
  world& one;
  std::optional<otpp::testing::context> second;
  std::optional<otpp::testing::context> third;
  std::optional<ref> server; // for clients to find

  sender& make_sender() { return seen.make_sender(); }
  otpp::options named(std::string name) { return otpp::named(std::move(name)).in(seen.names); }
  otpp::server_name<subject> address(std::string_view name) {
    return otpp::server_name<subject>(name, seen.names);
  }

  // Starts a server, and runs the world until it has started: nothing is chosen there.
  ref start(otpp::options how = otpp::options()) { return *start_one<subject>(std::move(how)); }
  template <class Callbacks>
  std::optional<otpp::server_ref<Callbacks>> start_one(otpp::options how);

  template <class Coroutine>
  otpp::testing::client& spawn(std::string name, Coroutine coroutine) {
    return one.spawn(std::move(name), std::move(coroutine));
  }
  template <class Coroutine>
  otpp::testing::client& spawn_on(otpp::testing::context& where, std::string name, Coroutine coroutine) {
    return one.spawn_on(where, std::move(name), std::move(coroutine));
  }

  // Each context may be destroyed at any step.
  void may_destroy_main_context() {
    seen.contexts_go = true;
    one.may_destroy_main_context();
  }
  void may_destroy(std::optional<otpp::testing::context>& which) {
    seen.contexts_go = true;
    one.may("a context is destroyed", [&which] { which.reset(); });
  }
};

using scenario = void (*)(stage&);

// Runs a scenario in all orders that the budget is for, with each of the turn limits; fails the test at the
// first violation.
void explore(std::initializer_list<int> turn_limits, scenario play);

// ---- implementation of what has types ----

template <class Callbacks>
std::optional<otpp::server_ref<Callbacks>> stage::start_one(otpp::options how) {
  auto result = std::make_shared<std::optional<otpp::server_ref<Callbacks>>>();
  sender& by = seen.make_sender();
  spawn("starter", [&by, how, result]() -> action { *result = co_await by.start<Callbacks>(how); });
  one.run();
  if (!*result) {
    one.fail("a server does not start");
  }
  return *result;
}

template <class Callbacks>
asio::awaitable<std::optional<otpp::server_ref<Callbacks>>> sender::start(
    otpp::options how, unsigned may_end, deed what, int steps) {
  int life = seen.new_life(how.name() ? *how.name() : std::string());
  operation mine(seen, seen.begin(oracle::kind::start, *this, 0, may_end));
  std::optional<otpp::server_ref<Callbacks>> result;
  std::exception_ptr error;
  try {
    if (steps == 0) {
      auto starting = otpp::start<Callbacks>(how, setup(seen, life, what));
      otpp::server_ref<Callbacks> made = co_await std::move(starting);
      result = made;
    } else {
      auto starting = otpp::start<Callbacks>(how, slow_setup(seen, life, what, steps));
      otpp::server_ref<Callbacks> made = co_await std::move(starting);
      result = made;
    }
  } catch (...) {
    error = std::current_exception();
  }
  ending how_it_ended = mine.end(error);
  if (how_it_ended != value && seen.lives_[static_cast<std::size_t>(life)].has_state) {
    seen.violate("I2: start has failed, and the server lives");
  }
  co_return result;
}

template <class M, class To>
asio::awaitable<ending> sender::call(To to, deed what, unsigned may_end, otpp::duration time, detail how) {
  operation mine(seen, seen.begin(oracle::kind::call, *this, id_of(to), may_end));
  std::exception_ptr error;
  int answer = 0;
  try {
    auto calling = otpp::call_for<M>(to, time, stamp(seen, mine.number), what, std::move(how));
    answer = co_await std::move(calling);
  } catch (...) {
    error = std::current_exception();
  }
  co_return mine.end(error, answer);
}

template <class M, class To>
asio::awaitable<ending> sender::cast(To to, deed what, unsigned may_end, detail how) {
  operation mine(seen, seen.begin(oracle::kind::cast, *this, id_of(to), may_end));
  std::exception_ptr error;
  try {
    auto casting = otpp::cast<M>(to, stamp(seen, mine.number), what, std::move(how));
    co_await std::move(casting);
  } catch (...) {
    error = std::current_exception();
  }
  co_return mine.end(error);
}

template <class M, class To>
asio::awaitable<ending> sender::send(To to, deed what, unsigned may_end) {
  operation mine(seen, seen.begin(oracle::kind::cast, *this, id_of(to), may_end));
  std::exception_ptr error;
  try {
    auto sending = otpp::send<M>(to, stamp(seen, mine.number), what, detail());
    co_await std::move(sending);
  } catch (...) {
    error = std::current_exception();
  }
  co_return mine.end(error);
}

template <class To>
ending sender::try_cast(To to, deed what, unsigned may_end, bool is_nosy) {
  operation mine(seen, seen.begin(oracle::kind::cast, *this, id_of(to), may_end | mailbox_full));
  bool taken = otpp::try_cast<tell>(to, stamp(seen, mine.number, is_nosy), what, detail());
  mine.has_ended = true;
  seen.end(mine.number, taken ? value : mailbox_full, 0); // or no process: it does not say
  return taken ? value : mailbox_full;
}

template <class Callbacks>
asio::awaitable<ending> sender::stop(
    otpp::server_ref<Callbacks> to, unsigned may_end, otpp::duration time, otpp::exit_reason why) {
  operation mine(seen, seen.begin(oracle::kind::stop, *this, to.id(), may_end));
  std::exception_ptr error;
  try {
    auto stopping = to.stop(why, time);
    co_await std::move(stopping);
  } catch (...) {
    error = std::current_exception();
  }
  co_return mine.end(error);
}

template <class Callbacks>
asio::awaitable<ending> sender::join(otpp::server_ref<Callbacks> to, unsigned may_end) {
  operation mine(seen, seen.begin(oracle::kind::join, *this, to.id(), may_end));
  std::exception_ptr error;
  try {
    auto joining = to.join();
    otpp::exit_reason why = co_await std::move(joining);
    (void)why;
  } catch (...) {
    error = std::current_exception();
  }
  co_return mine.end(error);
}

} // namespace scenarios
