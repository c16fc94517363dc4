// SPDX-License-Identifier: BSL-1.0

// The kill program of tests/systematic/mutation/mutate: much of what a server can do, in every order with few
// deviations, in one translation unit that compiles in seconds. Beside its own checks it counts what is
// allocated, so that a reference too many is noticed. It ends at the first failure, and says it in a line.

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {
long live = 0; // what is allocated; all is done by one thread
} // namespace

void* operator new(std::size_t size) {
  ++live;
  if (void* made = std::malloc(size)) {
    return made;
  }
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++live;
  auto a = static_cast<std::size_t>(alignment);
  if (void* made = std::aligned_alloc(a, (size + a - 1) / a * a)) {
    return made;
  }
  throw std::bad_alloc();
}
void operator delete(void* pointer) noexcept {
  live -= pointer ? 1 : 0;
  std::free(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { operator delete(pointer); }
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept { operator delete(pointer); }

namespace {

using namespace std::chrono_literals;
using asio::use_awaitable;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;
using text = std::shared_ptr<std::string>;

text make_text() { return std::make_shared<std::string>(); }

void check(bool holds, const char* what) {
  if (!holds) {
    throw std::runtime_error(what);
  }
}

struct boom : std::runtime_error {
  boom() : std::runtime_error("boom") {}
};

struct desk;
using desk_ref = otpp::server_ref<desk>;

// Writes a letter for all that it does.
struct desk {
  struct ask {
    char letter;
    using reply_type = int;
  };
  struct park {
    using reply_type = int;
  };
  struct linger {
    char letter;
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  struct quit {
    using reply_type = int;
  };
  struct leave {
    using reply_type = int;
  };
  struct drop {
    using reply_type = int;
  };
  struct go_on {
    char letter;
    using reply_type = int;
  }; // with a continuation
  struct rest {
    otpp::duration time;
    using reply_type = int;
  }; // with a timeout
  struct wake {
    otpp::duration time;
    using reply_type = int;
  }; // with a timeout's message
  struct relay {
    desk_ref to;
    using reply_type = int;
  }; // calls another
  struct tie {
    desk_ref to;
    using reply_type = int;
  }; // links
  struct untie {
    desk_ref from;
    using reply_type = int;
  };
  struct note {
    char letter;
  };
  struct slow {
    char letter;
  };
  struct free_all {};
  struct fall {};
  struct end {};

  using messages = otpp::message_list<
      ask, park, linger, crash, quit, leave, drop, go_on, rest, wake, relay, tie, untie, note, slow, free_all,
      fall, end>;

  struct state {
    text said;
    std::vector<otpp::caller<int>> parked;
    explicit state(text where) : said(std::move(where)) {}
    state(state&&) = default;
    ~state() {
      if (said) {
        *said += '~';
      }
    }
  };

  state init(text said) {
    *said += '(';
    return state(std::move(said));
  }
  int handle_call(ask m, state& s) { return *s.said += m.letter, m.letter; }
  void handle_call(park, otpp::caller<int> from, state& s) {
    *s.said += 'p';
    s.parked.push_back(std::move(from));
  }
  asio::awaitable<int> handle_call(linger m, state& s) {
    *s.said += m.letter;
    co_await asio::post(use_awaitable);
    co_await asio::post(use_awaitable);
    *s.said += m.letter;
    co_return m.letter;
  }
  int handle_call(crash, state& s) {
    *s.said += '!';
    throw boom();
  }
  otpp::outcome<int> handle_call(quit, state& s) {
    *s.said += 'q';
    return otpp::stop(otpp::exit_reason::normal(), 7);
  }
  otpp::outcome<int> handle_call(leave, state& s) {
    *s.said += 'l';
    return otpp::stop(otpp::exit_reason::shutdown());
  }
  void handle_call(drop, otpp::caller<int>, state& s) { *s.said += 'd'; }
  otpp::outcome<int> handle_call(go_on m, state& s) {
    *s.said += m.letter;
    return otpp::outcome<int>(1).then(note{m.letter});
  }
  otpp::outcome<int> handle_call(rest m, state& s) {
    *s.said += 'r';
    return otpp::outcome<int>(1).timeout(m.time);
  }
  otpp::outcome<int> handle_call(wake m, state& s) {
    *s.said += 'w';
    return otpp::outcome<int>(1).timeout(m.time, note{'*'});
  }
  asio::awaitable<int> handle_call(relay m, state& s) {
    *s.said += '>';
    int answer = co_await otpp::call_for<ask>(m.to, otpp::infinite, 'z');
    auto me = otpp::self<desk>(); // or it was resumed elsewhere
    *s.said += '<';
    co_return answer;
  }
  int handle_call(tie m, state&) { return otpp::link(m.to), 1; }
  int handle_call(untie m, state&) { return otpp::unlink(m.from), 1; }
  void handle_cast(note m, state& s) { *s.said += m.letter; }
  asio::awaitable<void> handle_cast(slow m, state& s) {
    *s.said += m.letter;
    co_await asio::post(use_awaitable);
    *s.said += m.letter;
  }
  void handle_cast(free_all, state& s) {
    *s.said += 'f';
    for (otpp::caller<int>& one : s.parked) {
      one.reply(5);
    }
    s.parked.clear();
  }
  void handle_cast(fall, state& s) {
    *s.said += '!';
    throw boom();
  }
  otpp::outcome<> handle_cast(end, state& s) {
    *s.said += 'e';
    return otpp::stop(otpp::exit_reason::normal());
  }
  void handle_info(note m, state& s) { *s.said += m.letter; }
  void handle_info(otpp::timeout, state& s) { *s.said += 't'; }
  void handle_continue(note m, state& s) { *s.said += static_cast<char>(m.letter - 32); }
  void terminate(const otpp::exit_reason&, state& s) { *s.said += ')'; }
};

// How an operation ended: what it yields, or minus its errc, or -100 if it was cancelled, or -200 for boom.
int code_now() {
  try {
    throw;
  } catch (const otpp::error& e) {
    return -e.code().value();
  } catch (const std::system_error&) {
    return -100;
  } catch (const boom&) {
    return -200;
  }
}
constexpr int no(otpp::errc code) { return -static_cast<int>(code); }

template <class T>
asio::awaitable<int> end_of(asio::awaitable<T> operation) {
  try {
    if constexpr (std::is_same_v<T, int>) {
      int value = co_await std::move(operation);
      co_return value;
    } else {
      co_await std::move(operation);
      co_return 1;
    }
  } catch (...) {
    co_return code_now();
  }
}

bool is_gone(int how) { return how == no(otpp::errc::exited) || how == no(otpp::errc::no_process); }

std::size_t times(const std::string& in, char letter) {
  std::size_t result = 0;
  for (char one : in) {
    result += one == letter ? 1 : 0;
  }
  return result;
}

bool is_order(const std::string& in, char first, char second) {
  std::size_t a = in.find(first);
  std::size_t b = in.find(second);
  return b == std::string::npos || (a != std::string::npos && a < b);
}

using place = std::shared_ptr<std::optional<desk_ref>>;

// Starts a server before anything is explored.
desk_ref started(world& one, otpp::testing::context& where, text said, otpp::options how = {}) {
  auto made = std::make_shared<std::optional<desk_ref>>();
  one.spawn_on(where, "starter", [made, said, how]() -> asio::awaitable<void> {
    desk_ref server = co_await otpp::start<desk>(how, said);
    made->emplace(server);
  });
  while (!*made && one.run_one()) {
  }
  check(made->has_value(), "not started");
  return **made;
}
desk_ref started(world& one, text said, otpp::options how = {}) {
  return started(one, one.main_context(), std::move(said), std::move(how));
}

// ---- scenarios ----

void order_is_kept(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  for (char letter : {'a', 'm'}) {
    one.spawn("client", [server, letter]() -> asio::awaitable<void> {
      co_await otpp::cast<desk::note>(server, letter);
      otpp::try_send<desk::note>(server, static_cast<char>(letter + 1));
      int answer = co_await otpp::call_for<desk::ask>(server, otpp::infinite, static_cast<char>(letter + 2));
      check(answer == letter + 2, "wrong answer");
      co_await otpp::send<desk::note>(server, static_cast<char>(letter + 3));
      answer = co_await otpp::call_for<desk::ask>(server, otpp::infinite, static_cast<char>(letter + 4));
      check(answer == letter + 4, "wrong answer");
    });
  }
  one.run();
  check(said->size() == 11, "lost or doubled");
  for (char letter : {'a', 'b', 'c', 'd', 'm', 'n', 'o', 'p'}) {
    check(is_order(*said, letter, static_cast<char>(letter + 1)), "out of order");
  }
  check(server.id() != 0, "no id");
}

// Everybody's call ends, whatever ends the server; terminate runs once, the state goes after it.
template <class Ending>
auto ends_with(std::string letters, Ending ending) {
  return [letters, ending](world& one) {
    text said = make_text();
    otpp::registry names;
    desk_ref server = started(one, said, otpp::named("desk").in(names));
    auto ended = std::make_shared<int>(0);
    auto gone_is_free = [&names] { check(!names.find("desk"), "the name is not free"); };
    one.spawn("asks", [server, ended, gone_is_free]() -> asio::awaitable<void> {
      int how = co_await end_of(otpp::call_for<desk::ask>(server, otpp::infinite, 'a'));
      check(how == 'a' || is_gone(how), "ask");
      *ended += 1;
      if (is_gone(how)) {
        gone_is_free();
        how = co_await end_of(otpp::call_for<desk::ask>(server, otpp::infinite, 'b'));
        check(how == no(otpp::errc::no_process), "asked the dead");
      }
    });
    one.spawn("parks", [server, ended, gone_is_free]() -> asio::awaitable<void> {
      int how = co_await end_of(otpp::call_for<desk::park>(server, otpp::infinite));
      check(is_gone(how), "park");
      gone_is_free();
      *ended += 1;
    });
    one.spawn("lingers", [server, ended]() -> asio::awaitable<void> {
      int how = co_await end_of(otpp::call_for<desk::linger>(server, otpp::infinite, 'c'));
      check(how == 'c' || is_gone(how), "linger");
      *ended += 1;
    });
    one.spawn("joins", [server, ended, gone_is_free]() -> asio::awaitable<void> {
      co_await server.join();
      gone_is_free();
      *ended += 1;
    });
    one.spawn("ends", [server, ending, gone_is_free]() -> asio::awaitable<void> {
      co_await ending(server);
      gone_is_free();
      check(!otpp::try_cast<desk::note>(server, 'x'), "told the dead");
      int how = co_await end_of(server.join());
      check(how == 1 || how == no(otpp::errc::no_process), "join");
      how = co_await end_of(server.stop());
      check(how == no(otpp::errc::no_process), "stopped the dead");
    });
    one.run();
    check(*ended == 4, "somebody waits forever");
    check(times(*said, ')') == 1 && said->find(")~") != std::string::npos, "terminate");
    for (char letter : letters) {
      check(times(*said, letter) == 1, "not handled once");
    }
    check(names.names().empty(), "a name is left");
  };
}

asio::awaitable<void> by_stop(desk_ref server) { co_await server.stop(); }
asio::awaitable<void> by_crash(desk_ref server) {
  int how = co_await end_of(otpp::call_for<desk::crash>(server, otpp::infinite));
  check(how == no(otpp::errc::exited), "the crash has an answer");
}
asio::awaitable<void> by_quit(desk_ref server) {
  int how = co_await end_of(otpp::call_for<desk::quit>(server, otpp::infinite));
  check(how == 7, "no answer from the one that quits");
}
asio::awaitable<void> by_leave(desk_ref server) {
  int how = co_await end_of(otpp::call_for<desk::leave>(server, otpp::infinite));
  check(how == no(otpp::errc::exited), "an answer from the one that leaves");
}
asio::awaitable<void> by_cast(desk_ref server) {
  co_await otpp::cast<desk::end>(server);
  otpp::exit_reason why = co_await server.join();
  check(why.is_clean(), "not clean");
}
asio::awaitable<void> by_fall(desk_ref server) {
  co_await otpp::cast<desk::fall>(server);
  otpp::exit_reason why = co_await server.join();
  check(!why.is_clean(), "clean");
}

// The answer, the timeout and the caller's cancellation: one of them.
void late_answers(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  auto begin = one.now();
  auto late = std::make_shared<int>(0);
  auto& cancelled = one.spawn("cancelled", [server]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::call_for<desk::park>(server, 20ms));
    check(how == 5 || how == -100 || how == no(otpp::errc::timeout), "cancelled park");
  });
  one.spawn("waits", [server, late, begin, &one]() -> asio::awaitable<void> {
    *late = co_await end_of(otpp::call_for<desk::park>(server, 10ms));
    check(*late == 5 || *late == no(otpp::errc::timeout), "park");
    check(*late == 5 || one.now() - begin >= 10ms, "too early");
    int how = co_await end_of(otpp::call_for<desk::ask>(server, -1ms, 'n'));
    check(how == no(otpp::errc::timeout), "negative");
    how = co_await end_of(otpp::call_for<desk::ask>(server, otpp::infinite, 'a'));
    check(how == 'a', "ask");
  });
  one.spawn("frees", [server]() -> asio::awaitable<void> {
    co_await otpp::cast<desk::free_all>(server);
    int how = co_await end_of(otpp::call_for<desk::drop>(server, otpp::infinite));
    check(how == no(otpp::errc::no_reply), "drop");
  });
  one.may("cancel", [&] { cancelled.cancel(); });
  one.run();
  check(*late != 0 && one.now() - begin <= 20ms, "too late");
  check(times(*said, 'n') == 0, "a negative timeout was sent");
}

// A handler that waits, tasks between its steps, and messages put aside.
void coroutine_handlers(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  desk_ref other = started(one, said);
  one.spawn("casts", [server]() -> asio::awaitable<void> {
    co_await otpp::cast<desk::slow>(server, 'a');
    otpp::try_cast<desk::note>(server, 'b');
    otpp::try_cast<desk::slow>(server, 'c');
    otpp::try_cast<desk::note>(server, 'd');
    int how = co_await otpp::call_for<desk::linger>(server, otpp::infinite, 'e');
    check(how == 'e', "linger");
  });
  one.spawn("relays", [server, other]() -> asio::awaitable<void> {
    int how = co_await otpp::call_for<desk::relay>(server, otpp::infinite, other);
    check(how == 'z', "relay");
  });
  one.run();
  std::string all = *said;
  check(is_order(all, 'a', 'b') && is_order(all, 'b', 'c') && is_order(all, 'c', 'd'), "order");
  check(times(all, 'a') == 2 && times(all, 'c') == 2 && times(all, 'e') == 2, "not once");
  std::size_t a1 = all.find('a'), a2 = all.rfind('a'), b = all.find('b');
  check(!(a1 < b && b < a2), "two at once");
}

void calls_itself(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  one.spawn("relays", [server]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::call_for<desk::relay>(server, otpp::infinite, server));
    check(how == no(otpp::errc::exited), "a handler that calls itself has an answer");
  });
  one.run();
  check(times(*said, '>') == 1 && times(*said, '<') == 0, "calls itself");
}

// One place, three senders, one of whom gives up.
void little_room(world& one) {
  text said = make_text();
  desk_ref server = started(one, said, otpp::options().mailbox_limit(1));
  auto sent = std::make_shared<std::string>();
  std::vector<otpp::testing::client*> clients;
  for (char letter : {'a', 'b', 'c'}) {
    clients.push_back(&one.spawn("sender", [server, letter, sent]() -> asio::awaitable<void> {
      co_await otpp::cast<desk::note>(server, letter);
      *sent += letter;
      int how = co_await otpp::call_for<desk::ask>(server, otpp::infinite, static_cast<char>(letter + 10));
      check(how == letter + 10, "ask");
    }));
  }
  one.may("cancel b", [&] { clients[1]->cancel(); });
  one.run();
  for (char letter : {'a', 'c'}) {
    check(times(*said, letter) == 1 && times(*sent, letter) == 1, "lost");
    check(times(*said, static_cast<char>(letter + 10)) == 1, "lost call");
  }
  check(times(*said, 'b') >= times(*sent, 'b'), "sent and lost");
  otpp::try_cast<desk::note>(server, 'x');
  check(!otpp::try_cast<desk::note>(server, 'y'), "no limit");
  one.run();
  check(otpp::try_cast<desk::note>(server, 'w'), "no room");
  one.run();
}

void little_room_and_the_end(world& one) {
  text said = make_text();
  desk_ref server = started(one, said, otpp::options().mailbox_limit(1));
  auto ended = std::make_shared<int>(0);
  for (char letter : {'a', 'b', 'c'}) {
    one.spawn("sender", [server, letter, ended]() -> asio::awaitable<void> {
      int how = co_await end_of(otpp::cast<desk::slow>(server, letter));
      check(how == 1 || is_gone(how), "cast");
      char then = static_cast<char>(letter + 10);
      how = co_await end_of(otpp::call_for<desk::ask>(server, otpp::infinite, then));
      check(how == then || is_gone(how), "ask");
      *ended += 1;
    });
  }
  one.spawn("stops", [server]() -> asio::awaitable<void> { co_await server.stop(); });
  one.run();
  check(*ended == 3, "waits forever");
}

void timeouts(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  auto begin = one.now();
  one.spawn("client", [server, said, begin, &one]() -> asio::awaitable<void> {
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 5ms);
    int how = co_await end_of(otpp::call_for<desk::park>(server, 10ms)); // overtakes it
    check(how == no(otpp::errc::timeout), "park");
    check(times(*said, 't') <= 1, "a timeout that was overtaken");
    co_await otpp::call_for<desk::wake>(server, otpp::infinite, 5ms);
    how = co_await end_of(otpp::wait_for_name<desk>("nobody", 10ms));
    check(how == no(otpp::errc::timeout), "wait");
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 5ms);
    how = co_await end_of(otpp::wait_for_name<desk>("nobody", 10ms));
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 0ms);
    co_await otpp::call_for<desk::wake>(server, otpp::infinite, 0ms);
    co_await otpp::call_for<desk::go_on>(server, otpp::infinite, 'g');
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 1h);
    co_await server.stop();
  });
  one.run();
  check(times(*said, '*') == 2, "a message of a timeout");
  check(said->find("gG") != std::string::npos, "a continuation");
  check(one.now() - begin < 1min || one.now() - begin >= 1h, "a timer comes at the wrong time");
}

// First in, first out only: else a timer may come before its time.
void no_timer_is_left(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  auto begin = one.now();
  one.spawn("client", [server]() -> asio::awaitable<void> {
    co_await otpp::call_for<desk::ask>(server, 1h, 'a');
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 1h);
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 1ms);
    int how = co_await end_of(otpp::call_for<desk::park>(server, 1ms));
    check(how == no(otpp::errc::timeout), "park");
    co_await otpp::call_for<desk::wake>(server, otpp::infinite, 1h);
    co_await server.stop();
  });
  one.run();
  check(one.now() - begin < 1s, "a timer is left");
}

// What a plain timeout does among other messages.
void overtaken_timeouts(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  one.spawn("rests", [server]() -> asio::awaitable<void> {
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 5ms);
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 5ms);
    int how = co_await end_of(otpp::wait_for_name<desk>("nobody", 3ms));
    check(how == no(otpp::errc::timeout), "wait");
    co_await otpp::call_for<desk::rest>(server, otpp::infinite, 5ms);
  });
  one.spawn("notes", [server]() -> asio::awaitable<void> {
    co_await otpp::cast<desk::note>(server, 'n');
    int how = co_await end_of(otpp::wait_for_name<desk>("nobody", 4ms));
    check(how == no(otpp::errc::timeout), "wait");
    co_await otpp::cast<desk::note>(server, 'n');
  });
  one.run();
  std::size_t last = said->rfind('r');
  check(said->find('n', last) != std::string::npos || said->substr(last) == "rt", "the last timeout");
  check(times(*said, 't') <= 3, "too many timeouts");
}

// One is killed, and the other is linked with it then, or no more, and ends as that says.
void exit_signals(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  desk_ref other = started(one, said);
  one.spawn("ties", [server, other]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::call_for<desk::tie>(server, otpp::infinite, other));
    check(how == 1, "tie");
    how = co_await end_of(otpp::call_for<desk::untie>(server, otpp::infinite, other));
    check(how == 1 || is_gone(how), "untie");
    how = co_await end_of(otpp::call_for<desk::linger>(server, otpp::infinite, 'a'));
    check(how == 'a' || is_gone(how), "linger");
    otpp::exit(server, otpp::exit_reason::shutdown());
    co_await server.join();
  });
  one.spawn("kills", [other]() -> asio::awaitable<void> {
    otpp::kill(other);
    otpp::kill(other);
    co_await other.join();
  });
  one.run();
  check(server.has_ended() && other.has_ended(), "no end");
  check(said->find(')') == std::string::npos, "terminate");
}

void two_contexts(world& one) {
  otpp::testing::context other(one);
  text said = make_text();
  desk_ref here = started(one, said);
  desk_ref there = started(one, other, said);
  one.spawn("client", [here, there]() -> asio::awaitable<void> {
    int how = co_await otpp::call_for<desk::ask>(there, otpp::infinite, 'a');
    check(how == 'a', "ask");
    how = co_await otpp::call_for<desk::relay>(here, otpp::infinite, there);
    check(how == 'z', "relay");
    how = co_await end_of(otpp::call_for<desk::park>(there, 10ms));
    check(how == 5 || how == no(otpp::errc::timeout), "park");
    co_await there.stop();
  });
  one.spawn_on(other, "frees", [here, there]() -> asio::awaitable<void> {
    co_await otpp::cast<desk::free_all>(there);
    int how = co_await otpp::call_for<desk::ask>(here, otpp::infinite, 'b');
    check(how == 'b', "ask here");
  });
  one.run();
}

// The main context goes while others have business with it, and the other way round.
void a_context_goes(world& one) {
  otpp::testing::context other(one);
  text said = make_text();
  otpp::registry names;
  desk_ref here = started(one, said, otpp::named("here").in(names));
  desk_ref there = started(one, other, said);
  auto ended = std::make_shared<int>(0);
  one.spawn_on(other, "asks", [here, ended]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::call_for<desk::linger>(here, otpp::infinite, 'a'));
    check(how == 'a' || is_gone(how), "linger");
    *ended += 1;
  });
  one.spawn_on(other, "parks", [here, ended]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::call_for<desk::park>(here, 5ms));
    check(is_gone(how) || how == no(otpp::errc::timeout), "park");
    *ended += 1;
  });
  one.spawn_on(other, "joins", [here, ended]() -> asio::awaitable<void> {
    otpp::exit_reason why = co_await here.join();
    (void)why;
    *ended += 1;
  });
  one.spawn("inside", [here, there]() -> asio::awaitable<void> {
    co_await otpp::call_for<desk::ask>(there, otpp::infinite, 'b');
    co_await otpp::call_for<desk::relay>(here, otpp::infinite, there);
    int how = co_await end_of(otpp::call_for<desk::park>(there, otpp::infinite));
    (void)how;
  });
  one.may_destroy_main_context();
  one.run_for(1s);
  if (one.has_main_context()) {
    check(*ended == 2, "no answer");
    otpp::try_cast<desk::end>(here);
    otpp::try_cast<desk::free_all>(there);
  } else {
    check(!names.find("here"), "a name outlives its context");
    check(!otpp::try_cast<desk::note>(here, 'x'), "told the gone");
  }
  one.run();
  check(*ended == 3, "no end");
}

void names_race(world& one) {
  otpp::registry names;
  text said = make_text();
  auto won = std::make_shared<int>(0);
  for (int i = 0; i != 2; ++i) {
    one.spawn("starter", [&names, said, won]() -> asio::awaitable<void> {
      otpp::options how = otpp::named("desk").in(names);
      int result = co_await end_of(otpp::start<desk>(how, said));
      check(result == 1 || result == no(otpp::errc::name_taken), "start");
      if (result == 1) {
        *won += 1;
        auto found = otpp::whereis<desk>("desk", names);
        check(found.has_value(), "not found");
        otpp::register_name("more", *found, names);
        check(names.names().size() == 2, "names");
        otpp::server_name<desk> name("desk", names);
        int answer = co_await otpp::call_for<desk::ask>(name, otpp::infinite, 'a');
        check(answer == 'a', "by name");
        check(otpp::unregister_name("more", names) && !otpp::unregister_name("more", names), "unregister");
        check(!otpp::whereis<desk>("more", names) && otpp::whereis<desk>("desk", names), "whereis");
        co_await found->stop();
        check(names.names().empty(), "not free");
      }
    });
  }
  auto& waits = one.spawn("waits", [&names]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::wait_for_name<desk>("desk", 50ms, names));
    check(how == 1 || how == -100 || how == no(otpp::errc::timeout), "wait");
  });
  one.spawn("waits for another", [&names]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::wait_for_name<desk>("never", 60ms, names));
    check(how == no(otpp::errc::timeout), "wait for another");
  });
  one.may("cancel", [&] { waits.cancel(); });
  one.run();
  check(*won >= 1, "nobody won");
  check(*won == static_cast<int>(times(*said, '(')), "init without the name");
}

// A name is taken away and given to another, before the first has ended.
void names_move(world& one) {
  otpp::registry names;
  text said = make_text();
  desk_ref first = started(one, said, otpp::named("desk").in(names));
  desk_ref second = started(one, said);
  otpp::register_name("a", first, names);
  otpp::register_name("b", first, names);
  check(otpp::unregister_name("a", names), "unregister");
  check(otpp::unregister_name("desk", names), "unregister");
  otpp::register_name("desk", second, names);
  check(names.names() == std::vector<std::string>{"b", "desk"}, "names");
  auto found = std::make_shared<int>(0);
  one.spawn("stops", [first, &names, second, found]() -> asio::awaitable<void> {
    co_await first.stop();
    auto now = otpp::whereis<desk>("desk", names);
    check(now && *now == second, "the old one's end took the new one's name");
    check(!otpp::whereis<desk>("b", names), "b");
    int how = 1;
    try {
      otpp::register_name("c", first, names);
    } catch (const otpp::error& e) {
      how = -e.code().value();
    }
    check(how == no(otpp::errc::no_process) && !names.find("c"), "named the dead");
    *found = 1;
  });
  one.spawn("waits", [&names, second]() -> asio::awaitable<void> {
    desk_ref seen = co_await otpp::wait_for_name<desk>("late", otpp::infinite, names);
    check(seen == second, "another");
  });
  one.run_for(1ms);
  otpp::register_name("late", second, names);
  one.run();
  check(*found == 1, "not done");
}

void a_registry_goes(world& one) {
  text said = make_text();
  auto names = std::make_shared<otpp::registry>();
  desk_ref server = started(one, said, otpp::named("desk").in(*names));
  auto ended = std::make_shared<int>(0);
  for (int i = 0; i != 2; ++i) {
    one.spawn("waits", [names = names.get(), ended]() -> asio::awaitable<void> {
      *ended += co_await end_of(otpp::wait_for_name<desk>("nobody", otpp::infinite, *names));
    });
  }
  one.run_for(1ms);
  names.reset();
  one.run();
  check(*ended == 2 * no(otpp::errc::no_process), "not told");
  one.spawn("stops", [server]() -> asio::awaitable<void> { co_await server.stop(); });
}

// Many watchers, of whom most give up.
void watchers(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  std::vector<otpp::testing::client*> all;
  auto ended = std::make_shared<int>(0);
  for (int i = 0; i != 40; ++i) {
    all.push_back(&one.spawn("joins", [server, ended]() -> asio::awaitable<void> {
      int how = co_await end_of(server.join());
      *ended += how == 1 ? 1 : 0;
    }));
    one.run_for(1ms);
    if (i % 3 != 0) {
      all.back()->cancel();
    }
  }
  one.spawn("stops", [server]() -> asio::awaitable<void> { co_await server.stop(); });
  one.run();
  check(*ended == 14, "a watcher is lost");
}

void two_stops(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  auto results = std::make_shared<std::vector<int>>();
  for (int i = 0; i != 2; ++i) {
    one.spawn("stops", [server, results]() -> asio::awaitable<void> {
      int how = co_await end_of(server.stop(otpp::exit_reason::normal(), otpp::infinite));
      results->push_back(how);
    });
  }
  one.spawn("slow", [server]() -> asio::awaitable<void> {
    int how = co_await end_of(otpp::cast<desk::slow>(server, 's'));
    (void)how;
  });
  one.run();
  check(results->size() == 2 && times(*said, ')') == 1, "stops");
  for (int how : *results) {
    check(how == 1 || how == no(otpp::errc::no_process), "a stop failed");
  }
}

void serial_executors(world& one) {
  text said = make_text();
  desk_ref a = started(one, said);
  desk_ref b = started(one, said);
  otpp::detail::serial_executor ea(*otpp::detail::access::core(a)), eb(*otpp::detail::access::core(b)),
      ea2 = ea;
  check(ea == ea2 && !(ea == eb) && ea != eb && !(ea != ea2), "equality");
  check(&asio::query(ea, asio::execution::context) == &one.main_context(), "context");
  check(asio::query(ea, asio::execution::blocking) == asio::execution::blocking.never, "blocking");
  check(
      ea.owner().get() == static_cast<otpp::detail::process*>(otpp::detail::access::core(a).get()), "owner");
  auto ran = std::make_shared<std::string>();
  ea.execute([ran, a] { *ran += otpp::detail::access::core(a)->is_running_here() ? '1' : '?'; });
  check(ran->empty(), "ran at once");
  eb.execute([ran] { *ran += '2'; });
  one.run();
  check(times(*ran, '1') == 1 && times(*ran, '2') == 1, "tasks");
}

// Callers that are dropped or answered after the end.
void callers_outlive(world& one) {
  text said = make_text();
  desk_ref server = started(one, said);
  auto how = std::make_shared<int>(0);
  one.spawn("parks", [server, how]() -> asio::awaitable<void> {
    *how = co_await end_of(otpp::call_for<desk::park>(server, otpp::infinite));
  });
  one.spawn("parks too", [server]() -> asio::awaitable<void> {
    int result = co_await end_of(otpp::call_for<desk::park>(server, otpp::infinite));
    check(result == 5 || is_gone(result), "park");
  });
  one.spawn("frees", [server]() -> asio::awaitable<void> {
    co_await otpp::cast<desk::free_all>(server);
    co_await server.stop();
  });
  one.run();
  check(*how == 5 || is_gone(*how), "park");
}

// The real thing: a context of Asio's own, turns of 64, fairness between servers.
void on_a_real_context() {
  asio::io_context context(1);
  text said = make_text();
  auto body = [&]() -> asio::awaitable<void> {
    desk_ref a = co_await otpp::start<desk>(said);
    desk_ref b = co_await otpp::start<desk>(said);
    for (int i = 0; i != 200; ++i) {
      otpp::try_cast<desk::note>(a, 'x');
    }
    co_await asio::post(use_awaitable);
    check(times(*said, 'x') <= 2 * 64, "a busy server goes before everybody else");
    int how = co_await otpp::call<desk::ask>(b, 'y');
    check(how == 'y', "ask");
    how = co_await otpp::call<desk::ask>(a, 'z');
    check(times(*said, 'x') == 200, "casts");
    for (int i = 0; i != 100; ++i) {
      how = co_await otpp::call<desk::relay>(a, b);
      check(how == 'z', "relay");
    }
    how = co_await end_of(otpp::call_for<desk::park>(a, 2ms));
    check(how == no(otpp::errc::timeout), "park");
    how = co_await end_of(otpp::call_for<desk::rest>(a, otpp::infinite, 1ms));
    while (times(*said, 't') == 0) {
      how = co_await end_of(otpp::call_for<desk::park>(b, 2ms));
    }
    check(times(*said, 't') == 1, "timeout");
    co_await a.stop();
    co_await b.stop();
  };
  std::exception_ptr failed;
  asio::co_spawn(context, body(), [&](std::exception_ptr error) { failed = error; });
  context.run_for(5s);
  if (failed) {
    std::rethrow_exception(failed);
  }
  check(context.stopped(), "work is left");
  check(times(*said, ')') == 2, "not stopped");
}

// A context that is destroyed after every step.
void abandoned() {
  text said = make_text();
  auto body = [](text where) -> asio::awaitable<void> {
    otpp::registry names;
    otpp::options how = otpp::named("a").in(names).mailbox_limit(2);
    desk_ref a = co_await otpp::start<desk>(how, where);
    desk_ref b = co_await otpp::start<desk>(where);
    for (int i = 0; i != 4; ++i) {
      co_await otpp::cast<desk::slow>(a, 'x');
    }
    co_await otpp::call<desk::relay>(b, a);
    int result = co_await end_of(otpp::call_for<desk::park>(b, 0ms));
    check(result == no(otpp::errc::timeout), "park");
    co_await otpp::call_for<desk::rest>(b, otpp::infinite, 1h);
    co_await a.stop();
  };
  std::size_t steps = 0;
  {
    asio::io_context context;
    std::exception_ptr failed;
    asio::co_spawn(context, body(said), [&](std::exception_ptr error) { failed = error; });
    while (context.run_one_for(1s)) {
      if (++steps > 10000 || times(*said, ')') == 1) {
        break;
      }
    }
    if (failed) {
      std::rethrow_exception(failed);
    }
  }
  check(times(*said, ')') == 1, "no end");
  for (std::size_t last = 0; last < steps; ++last) {
    asio::io_context context;
    asio::co_spawn(context, body(said), [](std::exception_ptr) {});
    for (std::size_t step = 0; step != last; ++step) {
      context.run_one_for(10ms);
    }
  }
}

// Two real contexts, taking turns: what goes through the inboxes.
void on_two_real_contexts() {
  asio::io_context one(1), two(1);
  text said = make_text();
  std::optional<desk_ref> there;
  std::exception_ptr failed;
  auto note = [&](std::exception_ptr error) { failed = error ? error : failed; };
  asio::co_spawn(
      two,
      [&]() -> asio::awaitable<void> {
        desk_ref made = co_await otpp::start<desk>(said);
        there = made;
      },
      note);
  two.run();
  int ended = 0;
  for (int i = 0; i != 3; ++i) {
    asio::co_spawn(
        one,
        [&]() -> asio::awaitable<void> {
          int how = co_await otpp::call<desk::ask>(*there, 'a');
          check(how == 'a', "ask");
          how = co_await end_of(otpp::call_for<desk::linger>(*there, otpp::infinite, 'b'));
          check(how == 'b', "linger");
          how = co_await end_of(otpp::call_for<desk::park>(*there, otpp::infinite));
          check(is_gone(how), "park");
          ++ended;
        },
        note);
  }
  asio::co_spawn(
      one,
      [&]() -> asio::awaitable<void> {
        co_await otpp::call<desk::linger>(*there, 'c');
        co_await otpp::call<desk::linger>(*there, 'c');
        co_await otpp::call<desk::linger>(*there, 'c');
        co_await there->stop();
      },
      note);
  for (int i = 0; i != 1000 && !failed && ended != 3; ++i) {
    one.restart();
    two.restart();
    one.poll();
    two.poll();
  }
  if (failed) {
    std::rethrow_exception(failed);
  }
  check(ended == 3, "not all ended");
}

int failures = 0;

// Twice, because the second time nothing more may be left than the first.
template <class Scenario>
void twice(const char* name, Scenario scenario) {
  try {
    scenario();
    long before = live;
    scenario();
    if (live != before) {
      std::printf("%s: %ld blocks are left\n", name, live - before);
      ++failures;
    }
  } catch (const std::exception& error) {
    std::printf("%s: %s\n", name, error.what());
    ++failures;
  }
  if (failures != 0) {
    std::fflush(stdout);
    std::_Exit(1); // a mutant may be in no state to be cleaned up
  }
}

template <class Scenario>
void everywhere(const char* name, unsigned deviations, Scenario scenario) {
  std::uint64_t schedules = 0;
  twice(name, [&] {
    schedules = explore(orders::all(deviations), scenario).schedules;
    // As on a real context, where a turn goes on.
    auto in_long_turns = [&](world& one) {
      one.set_turn_limit(otpp::detail::turn::limit);
      scenario(one);
    };
    schedules += explore(orders::all(deviations < 1 ? 0 : 1), in_long_turns).schedules;
  });
  if (std::getenv("OTPP_VERBOSE")) {
    std::printf("%s: %llu schedules\n", name, static_cast<unsigned long long>(schedules));
  }
}

void run_all(unsigned most) {
  everywhere("order", (std::min)(2U, most), order_is_kept);
  everywhere("stop", (std::min)(1U, most), ends_with("", by_stop));
  everywhere("crash", (std::min)(1U, most), ends_with("!", by_crash));
  everywhere("quit", (std::min)(1U, most), ends_with("q", by_quit));
  everywhere("leave", (std::min)(1U, most), ends_with("l", by_leave));
  everywhere("end", (std::min)(1U, most), ends_with("e", by_cast));
  everywhere("fall", (std::min)(1U, most), ends_with("!", by_fall));
  everywhere("late answers", (std::min)(2U, most), late_answers);
  everywhere("coroutine handlers", (std::min)(1U, most), coroutine_handlers);
  everywhere("calls itself", (std::min)(1U, most), calls_itself);
  everywhere("little room", (std::min)(2U, most), little_room);
  everywhere("little room and the end", (std::min)(2U, most), little_room_and_the_end);
  everywhere("timeouts", (std::min)(2U, most), timeouts);
  everywhere("no timer is left", (std::min)(0U, most), no_timer_is_left);
  everywhere("overtaken timeouts", (std::min)(2U, most), overtaken_timeouts);
  everywhere("exit signals", (std::min)(2U, most), exit_signals);
  everywhere("two contexts", (std::min)(2U, most), two_contexts);
  everywhere("a context goes", (std::min)(1U, most), a_context_goes);
  everywhere("names race", (std::min)(2U, most), names_race);
  everywhere("names move", (std::min)(2U, most), names_move);
  everywhere("a registry goes", (std::min)(1U, most), a_registry_goes);
  everywhere("watchers", (std::min)(0U, most), watchers);
  everywhere("two stops", (std::min)(2U, most), two_stops);
  everywhere("serial executors", (std::min)(2U, most), serial_executors);
  everywhere("callers outlive", (std::min)(2U, most), callers_outlive);
}

} // namespace

int main() {
  otpp::subscription quiet = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  twice("real context", on_a_real_context);
  twice("two real contexts", on_two_real_contexts);
  for (unsigned most : {0U, 2U}) { // most mutants fall in the first round
    run_all(most);
  }
  twice("abandoned", abandoned);
  std::fflush(stdout);
  std::_Exit(0);
}
