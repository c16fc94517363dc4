// SPDX-License-Identifier: BSL-1.0

// Everything at once, on one, two and four threads, for about a second each: the invariants of
// conservation, order and completion, and nothing left behind.

#include <otpp/otpp.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/use_future.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/probe.hpp"

namespace {

using namespace std::chrono_literals;

constexpr std::size_t server_count = 16;
constexpr int client_count = 12;

struct totals {
  // messages that carry a value: alive in mailboxes, handlers and frames
  std::atomic<int> letters{0};
  std::atomic<int> states{0};
  std::atomic<int> frames{0};

  // calls, by how they ended
  std::atomic<std::int64_t> begun{0};
  std::atomic<std::int64_t> answered{0};
  std::atomic<std::int64_t> exited{0};
  std::atomic<std::int64_t> no_process{0};
  std::atomic<std::int64_t> timed_out{0};
  std::atomic<std::int64_t> no_reply{0};
  std::atomic<std::int64_t> cancelled{0};
  std::atomic<std::int64_t> failed{0};
  std::atomic<std::int64_t> unexpected{0};

  // casts and infos
  std::atomic<std::int64_t> sent{0};
  std::atomic<std::int64_t> handled{0};
  std::atomic<std::int64_t> dropped{0}; // destroyed unopened: refused, or left behind by a server

  std::atomic<std::int64_t> starts{0};
  std::atomic<std::int64_t> ends{0};
  std::atomic<std::int64_t> wrong_answers{0};
  std::atomic<std::int64_t> disorder{0};
  std::atomic<std::int64_t> overlaps{0};
};

// A cast on its way, which says how it ended.
class letter {
 public:
  letter(totals& t, int sender, std::int64_t seq) : from(sender), number(seq), totals_(&t) {
    ++totals_->letters;
  }
  letter(letter&& other) noexcept
      : from(other.from), number(other.number), totals_(std::exchange(other.totals_, nullptr)) {}
  letter& operator=(letter&&) = delete;
  ~letter() {
    if (totals_) {
      --totals_->letters;
      ++totals_->dropped;
    }
  }

  void open() {
    totals* t = std::exchange(totals_, nullptr);
    --t->letters;
    ++t->handled;
  }

  int from;
  std::int64_t number;

 private:
  totals* totals_;
};

struct chaos {
  struct echo {
    std::int64_t value;
    using reply_type = std::int64_t;
  };
  struct wait_then_echo {
    std::int64_t value;
    using reply_type = std::int64_t;
  };
  struct later {
    std::int64_t value;
    using reply_type = std::int64_t;
  }; // by a posted function
  struct from_thread {
    std::int64_t value;
    using reply_type = std::int64_t;
  }; // by the replier thread
  struct forget_me {
    using reply_type = int;
  };
  struct hold {
    using reply_type = int;
  }; // until the server ends
  struct refuse {
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  struct quit {
    using reply_type = int;
  };
  struct chain {
    int hops;
    std::int64_t value;
    using reply_type = std::int64_t;
  };

  using messages = otpp::message_list<echo, letter>;

  struct state {
    state(totals& t, struct arena& a) : alive(t.states), all(&t), place(&a), last(client_count, -1) {}
    counted_in alive;
    totals* all;
    struct arena* place;
    std::vector<std::int64_t> last;
    std::vector<otpp::caller<int>> held;
    std::atomic<int> inside{0};
  };
  using state_type = std::unique_ptr<state>;

  std::unique_ptr<state> init(totals* t, struct arena* a) {
    ++t->starts;
    return std::make_unique<state>(*t, *a);
  }

  // Is another callback of this server at work? A coroutine is, until it ends.
  struct visit {
    explicit visit(state& s) : inside(s.inside) { s.all->overlaps += inside++ == 0 ? 0 : 1; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit() { --inside; }
    std::atomic<int>& inside;
  };

  std::int64_t handle_call(echo m, state_type& s) {
    visit here(*s);
    return m.value;
  }
  asio::awaitable<std::int64_t> handle_call(wait_then_echo m, state_type& s) {
    visit here(*s);
    counted_in frame(s->all->frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 50us);
    co_await timer.async_wait(asio::use_awaitable);
    co_return m.value;
  }
  asio::awaitable<void> handle_call(later m, otpp::caller<std::int64_t> from, state_type& s) {
    visit here(*s);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto kept = std::make_shared<otpp::caller<std::int64_t>>(std::move(from));
    asio::post(executor, [kept, value = m.value] { kept->reply(value); });
  }
  void handle_call(from_thread m, otpp::caller<std::int64_t> from, state_type& s);
  void handle_call(forget_me, otpp::caller<int>, state_type& s) { visit here(*s); }
  void handle_call(hold, otpp::caller<int> from, state_type& s) {
    visit here(*s);
    s->held.push_back(std::move(from));
    if (s->held.size() > 8) {
      s->held.clear();
    }
  }
  otpp::outcome<int> handle_call(refuse, state_type& s) {
    visit here(*s);
    return otpp::fail(std::out_of_range("refused"));
  }
  int handle_call(crash, state_type& s) {
    visit here(*s);
    throw std::runtime_error("crash");
  }
  otpp::outcome<int> handle_call(quit, state_type& s) {
    visit here(*s);
    return otpp::stop(otpp::exit_reason::normal(), 1);
  }
  asio::awaitable<std::int64_t> handle_call(chain m, state_type& s);

  void handle_cast(letter m, state_type& s) { note(m, *s); }
  asio::awaitable<void> handle_info(letter m, state_type& s) {
    visit here(*s);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    note_inside(m, *s);
  }

  void terminate(const otpp::exit_reason&, state_type& s) {
    visit here(*s);
    ++s->all->ends;
  }

 private:
  static void note(letter& m, state& s) {
    visit here(s);
    note_inside(m, s);
  }
  static void note_inside(letter& m, state& s) {
    std::int64_t& last = s.last[static_cast<std::size_t>(m.from)];
    s.all->disorder += last < m.number ? 0 : 1;
    last = m.number;
    m.open();
  }
};

using chaos_ref = otpp::server_ref<chaos>;

std::string name_of(std::size_t n) { return "stress " + std::to_string(n); }

// Where the servers are: their latest references, for the clients.
struct arena {
  explicit arena(totals& t, unsigned s) : all(t), seed(s) {}

  totals& all;
  unsigned seed;
  std::mutex mutex;
  std::array<std::optional<chaos_ref>, server_count> servers;
  std::vector<std::pair<otpp::caller<std::int64_t>, std::int64_t>> to_answer;
  std::atomic<bool> replier_finished{false};

  chaos_ref pick(std::size_t n) {
    std::lock_guard lock(mutex);
    return *servers[n];
  }
  void put(std::size_t n, chaos_ref server) {
    std::lock_guard lock(mutex);
    servers[n] = server;
  }
};

void chaos::handle_call(from_thread m, otpp::caller<std::int64_t> from, state_type& s) {
  visit here(*s);
  std::lock_guard lock(s->place->mutex);
  s->place->to_answer.emplace_back(std::move(from), m.value);
}

asio::awaitable<std::int64_t> chaos::handle_call(chain m, state_type& s) {
  visit here(*s);
  counted_in frame(s->all->frames);
  if (m.hops == 0) {
    co_return m.value;
  }
  std::size_t next = static_cast<std::size_t>(m.value) % server_count;
  chaos_ref to = s->place->pick(next);
  std::int64_t answer = m.value;
  try {
    std::int64_t told = co_await otpp::call_for<echo>(to, 20ms, m.value);
    answer = told;
  } catch (const otpp::error&) {
    // It is ending, or it is this very server.
  }
  co_return answer;
}

// What the threads do when they are at nothing else: answers calls that handlers have left.
void answer_from_here(arena& place) {
  std::minstd_rand random(place.seed + 1);
  while (!place.replier_finished) {
    std::vector<std::pair<otpp::caller<std::int64_t>, std::int64_t>> batch;
    {
      std::lock_guard lock(place.mutex);
      batch.swap(place.to_answer);
    }
    for (auto& [from, value] : batch) {
      if (random() % 16 != 0) {
        from.reply(value);
      }
    }
    std::this_thread::yield();
  }
}

class client {
 public:
  client(arena& place, int id, int rounds)
      : place_(place),
        all_(place.all),
        random_(place.seed * 100 + static_cast<unsigned>(id)),
        id_(id),
        rounds_(rounds) {}

  asio::awaitable<void> run() {
    counted_in frame(all_.frames);
    for (int n = 0; n != rounds_; ++n) {
      std::size_t which = random_() % server_count;
      chaos_ref server = place_.pick(which);
      doing = n;
      bool by_name = random_() % 4 == 0;
      std::int64_t value = static_cast<std::int64_t>(random_() % 1'000'000);
      switch (random_() % 32) {
        case 0: co_await ask<chaos::crash>(server, 1s); break;
        case 1: co_await ask<chaos::quit>(server, 1s); break;
        case 2: co_await stop(server); break;
        case 3: co_await ask<chaos::forget_me>(server, 1s); break;
        case 4: co_await ask<chaos::hold>(server, 1ms); break;
        case 5: co_await ask<chaos::refuse>(server, 1s); break;
        case 6: co_await ask_value<chaos::wait_then_echo>(server, 50us, value); break;
        case 7: co_await cancel_a_call(server); break;
        case 8:
        case 9: co_await ask_value<chaos::from_thread>(server, 1s, value); break;
        case 10:
        case 11: co_await ask_value<chaos::later>(server, 1s, value); break;
        case 12: co_await ask_value<chaos::wait_then_echo>(server, 1s, value); break;
        case 13: co_await ask_value<chaos::chain>(server, 2s, 1, value); break;
        case 14:
        case 15:
        case 16:
        case 17:
        case 18: co_await write(server, which, by_name); break;
        case 19:
        case 20: co_await write_info(server); break;
        case 21: try_write(server); break;
        case 22: co_await restart(which); break;
        default:
          if (by_name) {
            co_await ask_by_name(which, value);
          } else {
            co_await ask_value<chaos::echo>(server, 1s, value);
          }
      }
      if (random_() % 8 == 0) {
        co_await restart(which);
      }
    }
    ++finished;
  }

  std::atomic<int> doing{-1};
  std::atomic<int> finished{0};

 private:
  void note_end(std::exception_ptr error) {
    std::error_code code;
    bool is_ours = true;
    try {
      std::rethrow_exception(error);
    } catch (const std::system_error& e) {
      code = e.code();
    } catch (const std::out_of_range&) {
      is_ours = false;
    }
    if (!is_ours) {
      ++all_.failed;
    } else if (code == otpp::errc::exited) {
      ++all_.exited;
    } else if (code == otpp::errc::no_process) {
      ++all_.no_process;
    } else if (code == otpp::errc::timeout) {
      ++all_.timed_out;
    } else if (code == otpp::errc::no_reply) {
      ++all_.no_reply;
    } else if (code == asio::error::operation_aborted) {
      ++all_.cancelled;
    } else {
      ++all_.unexpected;
    }
  }

  template <class M>
  asio::awaitable<void> ask(chaos_ref server, otpp::duration patience) {
    ++all_.begun;
    std::exception_ptr error;
    try {
      co_await otpp::call_for<M>(server, patience);
      ++all_.answered;
    } catch (...) {
      error = std::current_exception();
    }
    if (error) {
      note_end(error);
    }
  }

  template <class M, class... Args>
  asio::awaitable<void> ask_value(chaos_ref server, otpp::duration patience, Args... args) {
    ++all_.begun;
    std::int64_t expected = 0;
    ((expected = args), ...); // the last
    std::exception_ptr error;
    try {
      std::int64_t answer = co_await otpp::call_for<M>(server, patience, args...);
      ++all_.answered;
      all_.wrong_answers += answer == expected ? 0 : 1;
    } catch (...) {
      error = std::current_exception();
    }
    if (error) {
      note_end(error);
    }
  }

  asio::awaitable<void> ask_by_name(std::size_t which, std::int64_t value) {
    ++all_.begun;
    std::string name = name_of(which);
    std::exception_ptr error;
    try {
      std::int64_t answer = co_await otpp::call<chaos::echo>(name, value);
      ++all_.answered;
      all_.wrong_answers += answer == value ? 0 : 1;
    } catch (...) {
      error = std::current_exception();
    }
    if (error) {
      note_end(error);
    }
  }

  // The cancellation comes from this coroutine's executor, as Asio wants it.
  asio::awaitable<void> cancel_a_call(chaos_ref server) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    ++all_.begun;
    auto signal = std::make_shared<asio::cancellation_signal>();
    auto ended = std::make_shared<std::atomic<bool>>(false);
    client* self = this;
    asio::co_spawn(
        executor, hold_on(server),
        asio::bind_cancellation_slot(signal->slot(), [self, ended, signal](std::exception_ptr error) {
          if (error) {
            self->note_end(error);
          } else {
            ++self->all_.answered;
          }
          *ended = true;
        }));
    if (random_() % 2 == 0) {
      asio::steady_timer timer(executor, 20us);
      co_await timer.async_wait(asio::use_awaitable);
    } else {
      co_await asio::post(executor, asio::use_awaitable);
    }
    if (!*ended) {
      signal->emit(asio::cancellation_type::terminal);
    }
    while (!*ended) {
      co_await asio::post(executor, asio::use_awaitable);
    }
  }

  asio::awaitable<void> hold_on(chaos_ref server) {
    counted_in frame(all_.frames);
    co_await otpp::call_for<chaos::wait_then_echo>(server, 2s, 1);
  }

  asio::awaitable<void> stop(chaos_ref server) {
    try {
      co_await server.stop();
    } catch (const otpp::error&) {
      // Another was faster.
    }
  }

  // A cast that fails comes back as an exception, and its letter has been destroyed unopened.
  asio::awaitable<void> write(chaos_ref server, std::size_t which, bool by_name) {
    ++all_.sent;
    try {
      if (by_name) {
        std::string name = name_of(which);
        letter one(all_, id_, ++seq_);
        co_await otpp::cast(name, std::move(one));
      } else {
        co_await otpp::cast<letter>(server, all_, id_, ++seq_);
      }
    } catch (const otpp::error&) {
      ++told_;
    }
  }

  asio::awaitable<void> write_info(chaos_ref server) {
    ++all_.sent;
    try {
      co_await otpp::send<letter>(server, all_, id_, ++seq_);
    } catch (const otpp::error&) {
      ++told_;
    }
  }

  void try_write(chaos_ref server) {
    ++all_.sent;
    if (!otpp::try_cast<letter>(server, all_, id_, ++seq_)) {
      ++told_;
    }
  }

  asio::awaitable<void> restart(std::size_t which) {
    if (!place_.pick(which).has_ended()) {
      co_return;
    }
    try {
      otpp::options how = otpp::named(name_of(which));
      if (which % 4 == 0) {
        how.mailbox_limit(2);
      }
      chaos_ref server = co_await otpp::start<chaos>(std::move(how), &all_, &place_);
      place_.put(which, server);
    } catch (const otpp::error& e) {
      all_.unexpected += e.code() == otpp::errc::name_taken ? 0 : 1;
    }
  }

 public:
  std::int64_t told_ = 0; // how many letters it knows to be lost

 private:
  arena& place_;
  totals& all_;
  std::minstd_rand random_;
  int id_;
  int rounds_;
  std::int64_t seq_ = 0;
};

// Ends the program with a readable failure if the test hangs.
class watchdog {
 public:
  watchdog(unsigned seed, const totals& all, const std::vector<std::unique_ptr<client>>& clients)
      : thread_([this, seed, &all, &clients] { watch(seed, all, clients); }) {}
  ~watchdog() {
    {
      std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void watch(unsigned seed, const totals& all, const std::vector<std::unique_ptr<client>>& clients) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, 20s * (slowdown > 1 ? 3 : 1), [this] { return finished_; })) {
      return;
    }
    std::fprintf(stderr, "stress: hangs with seed %u\n", seed);
    for (std::size_t n = 0; n != clients.size(); ++n) {
      if (clients[n]->finished == 0) {
        std::fprintf(stderr, "  client %zu: in round %d\n", n, clients[n]->doing.load());
      }
    }
    std::fprintf(
        stderr,
        "  calls: %lld begun, %lld answered, %lld exited, %lld no_process, %lld timeout, %lld no_reply, "
        "%lld cancelled, %lld failed, %lld unexpected\n  casts: %lld sent, %lld handled\n",
        static_cast<long long>(all.begun), static_cast<long long>(all.answered),
        static_cast<long long>(all.exited), static_cast<long long>(all.no_process),
        static_cast<long long>(all.timed_out), static_cast<long long>(all.no_reply),
        static_cast<long long>(all.cancelled), static_cast<long long>(all.failed),
        static_cast<long long>(all.unexpected), static_cast<long long>(all.sent),
        static_cast<long long>(all.handled));
    std::abort();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool finished_ = false;
  std::thread thread_;
};

asio::awaitable<void> open_servers(arena& place) {
  for (std::size_t n = 0; n != server_count; ++n) {
    otpp::options how = otpp::named(name_of(n));
    if (n % 4 == 0) {
      how.mailbox_limit(2);
    }
    chaos_ref server = co_await otpp::start<chaos>(std::move(how), &place.all, &place);
    place.put(n, server);
  }
}

asio::awaitable<void> close_servers(arena& place) {
  for (std::size_t n = 0; n != server_count; ++n) {
    chaos_ref server = place.pick(n);
    try {
      co_await server.stop();
    } catch (const otpp::error&) {
      // It had ended.
    }
  }
}

struct quiet_crashes {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
};

void storm(int threads, int rounds, unsigned seed) {
  INFO("seed " << seed << ", " << threads << " threads");
  quiet_crashes quiet;
  totals all;
  std::int64_t told = 0;
  bool all_finished = true;
  {
    arena place(all, seed);
    asio::io_context context(threads);
    asio::co_spawn(context, open_servers(place), forget);
    context.run();
    context.restart();

    std::vector<std::unique_ptr<client>> clients;
    for (int n = 0; n != client_count; ++n) {
      clients.push_back(std::make_unique<client>(place, n, rounds));
      // With a strand, because Asio's cancellation signals are for one thread at a time.
      asio::co_spawn(asio::make_strand(context), clients.back()->run(), forget);
    }
    {
      watchdog dog(seed, all, clients);
      std::thread replier([&] { answer_from_here(place); });
      std::vector<std::thread> crew;
      for (int n = 1; n < threads; ++n) {
        crew.emplace_back([&] { context.run(); });
      }
      context.run();
      for (std::thread& thread : crew) {
        thread.join();
      }
      place.replier_finished = true;
      replier.join();
    }
    for (const auto& one : clients) {
      all_finished = all_finished && one->finished == 1;
      told += one->told_;
    }
    context.restart();
    asio::co_spawn(context, close_servers(place), forget);
    context.run();
  }
  CHECK(all_finished);
  std::int64_t ended =
      all.answered + all.exited + all.no_process + all.timed_out + all.no_reply + all.cancelled + all.failed;
  CHECK(all.begun == ended);
  CHECK(all.unexpected == 0);
  CHECK(all.wrong_answers == 0);
  CHECK(all.disorder == 0);
  CHECK(all.overlaps == 0);
  CHECK(all.sent == all.handled + all.dropped);
  CHECK(told <= all.dropped);
  CHECK(all.handled > 0);
  CHECK(all.answered > 0);
  CHECK(all.exited > 0);
  CHECK(all.starts == all.ends);
  CHECK(all.starts > static_cast<std::int64_t>(server_count));
  CHECK(all.letters == 0);
  CHECK(all.states == 0);
  CHECK(all.frames == 0);
}

} // namespace

TEST_CASE("threads: everything at once on one thread", "[threads]") {
  for (unsigned seed = 1; seed != 3; ++seed) {
    storm(1, 1200 / (slowdown > 1 ? 2 : 1), seed);
  }
}

TEST_CASE("threads: everything at once on two threads", "[threads]") {
  for (unsigned seed = 11; seed != 13; ++seed) {
    storm(2, 1200 / (slowdown > 1 ? 2 : 1), seed);
  }
}

TEST_CASE("threads: everything at once on four threads", "[threads]") {
  for (unsigned seed = 21; seed != 23; ++seed) {
    storm(4, 1200 / (slowdown > 1 ? 2 : 1), seed);
  }
}
