// SPDX-License-Identifier: BSL-1.0

// Scenarios whose context is destroyed after every step. They are for AddressSanitizer above all; the
// counters of what is alive say something in every build.

#include <otpp/otpp.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"

namespace {

using namespace std::chrono_literals;

std::atomic<int> frames{0};
std::atomic<int> states{0};
std::atomic<int> messages{0};

// Asio's own steps, so that a scenario has more of them to be abandoned at.
asio::awaitable<void> step() {
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

struct shop {
  struct count {
    using reply_type = int;
  };
  struct text {
    std::string words;
    counted_in alive{messages};
    using reply_type = std::string;
  };
  struct slow {
    std::string words;
    counted_in alive{messages};
    using reply_type = std::string;
  };
  struct delayed {
    std::string words;
    counted_in alive{messages};
    using reply_type = std::string;
  };
  struct park {
    using reply_type = int;
  };
  struct drop {
    using reply_type = int;
  };
  struct nested {
    otpp::server_ref<shop> to;
    using reply_type = std::string;
  };
  struct parallel {
    otpp::server_ref<shop> to;
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  struct crash_slowly {
    using reply_type = int;
  };
  struct quit {
    using reply_type = int;
  };
  struct go_on {
    using reply_type = int;
  };
  struct again {
    int left;
  };
  struct letter {
    std::string words;
    counted_in alive{messages};
  };

  struct state {
    counted_in alive{states};
    int served = 0;
    std::vector<otpp::caller<int>> parked;
  };

  asio::awaitable<state> init(int served) {
    counted_in frame(frames);
    co_await step();
    state made;
    made.served = served;
    co_return std::move(made);
  }

  int handle_call(count, state& s) { return s.served; }
  std::string handle_call(text m, state& s) {
    ++s.served;
    return m.words;
  }
  asio::awaitable<std::string> handle_call(slow m, state& s) {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 100us);
    co_await timer.async_wait(asio::use_awaitable);
    ++s.served;
    co_return m.words;
  }
  static asio::awaitable<void> answer_later(otpp::caller<std::string> from, std::string words) {
    counted_in frame(frames);
    co_await step();
    co_await otpp::reply(std::move(from), words);
  }
  asio::awaitable<void> handle_call(delayed m, otpp::caller<std::string> from, state& s) {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    ++s.served;
    asio::co_spawn(executor, answer_later(std::move(from), m.words), forget);
    co_await step();
  }
  void handle_call(park, otpp::caller<int> from, state& s) { s.parked.push_back(std::move(from)); }
  void handle_call(drop, otpp::caller<int>, state&) {}
  asio::awaitable<std::string> handle_call(nested m, state&) {
    counted_in frame(frames);
    std::string words = co_await otpp::call<slow>(m.to, "nested, and too long for the string itself");
    co_return words;
  }
  static asio::awaitable<int> ask_count(otpp::server_ref<shop> to) {
    counted_in frame(frames);
    int n = co_await otpp::call<count>(to);
    co_return n;
  }
  asio::awaitable<int> handle_call(parallel m, state&) {
    using namespace asio::experimental::awaitable_operators;
    counted_in frame(frames);
    auto both = ask_count(m.to) && ask_count(m.to);
    auto counts = co_await std::move(both);
    co_return std::get<0>(counts) + std::get<1>(counts);
  }
  int handle_call(crash, state&) { throw std::runtime_error("crash"); }
  asio::awaitable<int> handle_call(crash_slowly, state&) {
    counted_in frame(frames);
    co_await step();
    throw std::runtime_error("crash");
  }
  otpp::outcome<int> handle_call(quit, state& s) {
    return otpp::stop(otpp::exit_reason::shutdown(), s.served);
  }
  otpp::outcome<int> handle_call(go_on, state& s) { return otpp::outcome<int>(s.served).then(again(3)); }
  asio::awaitable<otpp::outcome<>> handle_continue(again m, state& s) {
    counted_in frame(frames);
    co_await step();
    ++s.served;
    otpp::outcome<> next;
    if (m.left != 0) {
      co_return std::move(next).then(again(m.left - 1));
    }
    co_return std::move(next).timeout(100us);
  }
  void handle_cast(letter, state& s) { ++s.served; }
  asio::awaitable<void> handle_info(letter, state& s) {
    counted_in frame(frames);
    co_await step();
    ++s.served;
  }
  otpp::outcome<> handle_info(otpp::timeout, state&) { return otpp::stop(); }
  asio::awaitable<void> terminate(const otpp::exit_reason&, state&) {
    counted_in frame(frames);
    co_await step();
  }
};

using shop_ref = otpp::server_ref<shop>;

constexpr const char* long_words = "words that are too long to be kept inside of a std::string";

// Waits for an operation's error.
template <class T>
asio::awaitable<std::error_code> error_of(asio::awaitable<T> operation) {
  counted_in frame(frames);
  std::error_code code;
  try {
    co_await std::move(operation);
  } catch (const std::system_error& e) {
    code = e.code();
  }
  co_return code;
}

struct quiet_crashes {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
};

template <class Body>
void abandon(Body body) {
  quiet_crashes quiet;
  std::size_t steps = abandon_at_every_step(body);
  CHECK(steps > 2);
  CHECK(frames == 0);
  CHECK(states == 0);
  CHECK(messages == 0);
  CHECK(otpp::registered().empty());
}

} // namespace

TEST_CASE("abandon: start and stop", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>(otpp::named("abandoned"), 0);
    co_await server.stop();
    auto second = co_await otpp::start<shop>(otpp::named("abandoned"), 1);
    co_await second.stop(otpp::exit_reason::shutdown(), 1s);
  });
}

TEST_CASE("abandon: calls", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>(0);
    std::string once = co_await otpp::call<shop::text>(server, long_words);
    std::string twice = co_await otpp::call_for<shop::text>(server, 1s, once);
    shop::text named{twice};
    std::string thrice = co_await otpp::call(server, named, otpp::infinite);
    CHECK(thrice == long_words);
    co_await server.stop();
  });
}

TEST_CASE("abandon: coroutine handlers with timers, and callers queued behind them", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<shop>(0);
    for (int n = 0; n != 3; ++n) {
      asio::co_spawn(executor, error_of(otpp::call<shop::slow>(server, long_words)), forget);
      asio::co_spawn(executor, error_of(otpp::call<shop::text>(server, long_words)), forget);
    }
    co_await step();
    int served = co_await otpp::call<shop::count>(server);
    CHECK(served == 6);
    co_await server.stop();
  });
}

TEST_CASE("abandon: delayed replies", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>(0);
    std::string words = co_await otpp::call<shop::delayed>(server, long_words);
    CHECK(words == long_words);
    std::error_code dropped = co_await error_of(otpp::call<shop::drop>(server));
    CHECK(dropped == otpp::errc::no_reply);
    co_await server.stop();
  });
}

TEST_CASE("abandon: timeouts, and answers that come too late", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>(0);
    std::error_code slow = co_await error_of(otpp::call_for<shop::slow>(server, 1us, long_words));
    CHECK(slow == otpp::errc::timeout);
    std::error_code parked = co_await error_of(otpp::call_for<shop::park>(server, 50us));
    CHECK(parked == otpp::errc::timeout);
    int served = co_await otpp::call<shop::count>(server);
    CHECK(served == 1);
    co_await server.stop();
  });
}

TEST_CASE("abandon: a stop with callers parked, queued and being served", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<shop>(0);
    asio::co_spawn(executor, error_of(otpp::call<shop::park>(server)), forget);
    asio::co_spawn(executor, error_of(otpp::call<shop::slow>(server, long_words)), forget);
    co_await step();
    asio::co_spawn(executor, error_of(server.stop()), forget);
    co_await step();
    asio::co_spawn(executor, error_of(otpp::call<shop::text>(server, long_words)), forget);
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::normal());
    std::error_code late = co_await error_of(otpp::call<shop::count>(server));
    CHECK(late == otpp::errc::no_process);
  });
}

TEST_CASE("abandon: names", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    otpp::server_name<shop> name("abandoned name");
    asio::co_spawn(executor, error_of(otpp::wait_for_name<shop>("abandoned name", 1s)), forget);
    asio::co_spawn(executor, error_of(otpp::wait_for_name<shop>("abandoned name never", 1ms)), forget);
    auto server = co_await otpp::start<shop>(otpp::named("abandoned name"), 0);
    std::error_code taken = co_await error_of(otpp::start<shop>(otpp::named("abandoned name"), 0));
    CHECK(taken == otpp::errc::name_taken);
    otpp::register_name("abandoned alias", server);
    std::string words = co_await otpp::call<shop::text>(name, long_words);
    co_await otpp::cast<shop::letter>(otpp::server_name<shop>("abandoned alias"), words);
    otpp::unregister_name("abandoned name");
    std::error_code gone = co_await error_of(otpp::call<shop::count>(name));
    CHECK(gone == otpp::errc::no_process);
    co_await server.stop();
  });
}

TEST_CASE("abandon: a mailbox with a limit", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<shop>(otpp::options().mailbox_limit(1), 0);
    asio::co_spawn(executor, error_of(otpp::call<shop::slow>(server, long_words)), forget);
    co_await step();
    for (int n = 0; n != 3; ++n) {
      asio::co_spawn(executor, error_of(otpp::cast<shop::letter>(server, long_words)), forget);
      asio::co_spawn(executor, error_of(otpp::call<shop::text>(server, long_words)), forget);
    }
    co_await otpp::send<shop::letter>(server, long_words);
    int served = co_await otpp::call<shop::count>(server);
    CHECK(served == 8);
    co_await server.stop();
  });
}

TEST_CASE("abandon: a stop while senders wait for room", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<shop>(otpp::options().mailbox_limit(1), 0);
    asio::co_spawn(executor, error_of(otpp::call<shop::slow>(server, long_words)), forget);
    co_await step();
    for (int n = 0; n != 4; ++n) {
      asio::co_spawn(executor, error_of(otpp::cast<shop::letter>(server, long_words)), forget);
    }
    co_await step();
    co_await server.stop();
  });
}

TEST_CASE("abandon: servers that ask servers, one after another and in parallel", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    auto back = co_await otpp::start<shop>(5);
    auto front = co_await otpp::start<shop>(0);
    std::string words = co_await otpp::call<shop::nested>(front, back);
    CHECK(words.size() > 20);
    int counts = co_await otpp::call<shop::parallel>(front, back);
    CHECK(counts == 12);
    co_await back.stop();
    std::error_code crashed = co_await error_of(otpp::call<shop::nested>(front, back));
    CHECK(crashed == otpp::errc::exited); // as the handler let no_process escape
  });
}

TEST_CASE("abandon: crashes, with callers parked and queued", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (int n = 0; n != 2; ++n) {
      auto server = co_await otpp::start<shop>(otpp::named("abandoned crash"), 0);
      asio::co_spawn(executor, error_of(otpp::call<shop::park>(server)), forget);
      asio::co_spawn(executor, error_of(otpp::call<shop::delayed>(server, long_words)), forget);
      co_await step();
      auto crash = n == 0 ? otpp::call<shop::crash>(server) : otpp::call<shop::crash_slowly>(server);
      asio::co_spawn(executor, error_of(otpp::call<shop::text>(server, long_words)), forget);
      std::error_code code = co_await error_of(std::move(crash));
      CHECK(code == otpp::errc::exited);
    }
  });
}

TEST_CASE("abandon: stop with a reply, continue and idle timeout", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>(0);
    int before = co_await otpp::call<shop::go_on>(server);
    CHECK(before == 0);
    otpp::exit_reason why = co_await server.join(); // by its idle timeout
    CHECK(why == otpp::exit_reason::normal());
    auto second = co_await otpp::start<shop>(2);
    int served = co_await otpp::call<shop::quit>(second);
    CHECK(served == 2);
    CHECK(second.has_ended());
  });
}

TEST_CASE("abandon: cancelled calls and a cancelled start", "[abandon]") {
  abandon([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<shop>(0);
    auto signals = std::make_shared<std::vector<asio::cancellation_signal>>(2);
    auto slot = [signals](std::size_t n) {
      return asio::bind_cancellation_slot((*signals)[n].slot(), [signals](std::exception_ptr, auto&&...) {});
    };
    asio::co_spawn(executor, error_of(otpp::call<shop::park>(server)), slot(0));
    asio::co_spawn(executor, error_of(otpp::start<shop>(0)), slot(1));
    for (int n = 0; n != 2; ++n) {
      co_await step();
    }
    (*signals)[0].emit(asio::cancellation_type::terminal);
    (*signals)[1].emit(asio::cancellation_type::terminal);
    co_await step();
    co_await server.stop();
  });
}

TEST_CASE("abandon: a server whose handler starts and stops another", "[abandon]") {
  struct nursery {
    struct raise {
      using reply_type = int;
    };
    int init() { return 0; }
    asio::awaitable<int> handle_call(raise, int& raised) {
      counted_in frame(frames);
      auto child = co_await otpp::start<shop>(7);
      int served = co_await otpp::call<shop::count>(child);
      co_await child.stop();
      raised += served;
      co_return raised;
    }
  };
  abandon([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<nursery>();
    int first = co_await otpp::call<nursery::raise>(server);
    int second = co_await otpp::call<nursery::raise>(server);
    CHECK(first + second == 21);
    co_await server.stop();
  });
}
