// SPDX-License-Identifier: BSL-1.0

// Contexts, strands, pools and executors of the users' own that come and go while everything is used from
// everywhere. Run under AddressSanitizer and ThreadSanitizer; by itself it sees what is lost, and what hangs.

#include <otpp/crash_report.hpp>
#include <otpp/error.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/sys/processes.hpp>

#include <asio/post.hpp>
#include <asio/system_executor.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "client.hpp"
#include "nap.hpp"
#include "worker.hpp"

// libstdc++ counts the references to an exception in code that ThreadSanitizer has not instrumented: it does
// not see that the thread that frees an exception comes after those that looked at it. Nothing else is
// suppressed.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}

namespace lifetimes {
namespace {

using clock_type = std::chrono::steady_clock;

struct settings {
  std::int64_t seconds = 5;
  std::uint64_t seed = 1;
  int fault = 0;
  // No operation here waits for longer than a second, but other programs may have the machine for a while.
  std::chrono::seconds patience{60};
};

long long ll(count what) { return static_cast<long long>(total(what)); }

void print_figures(double seconds) {
  std::printf(
      "%lld operations in %.0f s: %lld ended %lld failed %lld destroyed with their context, lost %lld | "
      "contexts made %lld destroyed %lld | clients %lld servers %lld start failures %lld | "
      "handlers away %lld blocked %lld cancelled %lld crashes %lld | downs %lld exit signals %lld ticks %lld "
      "| "
      "answered elsewhere %lld refused by executors %lld | "
      "alive: states %lld messages %lld bodies %lld\n",
      ll(count::begun), seconds, ll(count::ended), ll(count::failed), ll(count::destroyed), ll(count::lost),
      ll(count::contexts_made), ll(count::contexts_destroyed), ll(count::clients), ll(count::servers),
      ll(count::start_failures), ll(count::handlers_away), ll(count::handlers_blocked),
      ll(count::handlers_cancelled), ll(count::crashes), ll(count::downs), ll(count::exit_signals),
      ll(count::ticks), ll(count::answered_elsewhere), ll(count::refused_by_executor),
      ll(count::states_made) - ll(count::states_gone), ll(count::messages_made) - ll(count::messages_gone),
      ll(count::bodies_made) - ll(count::bodies_gone));
}

bool holds(bool is_true, const char* what) {
  if (!is_true) {
    std::fprintf(stderr, "lifetimes: %s\n", what);
  }
  return is_true;
}

void add_clients(world& all, place& where, bool stays, const char* kind) {
  std::string name(kind);
  spawn_client(all, where.executor, where.closing, where.is_serial, stays, "a client on " + name);
  for (std::size_t n = 0; n < where.strands.size(); n += stays ? 1 : 2) {
    spawn_client(
        all, where.strands[n], where.closing, true, stays,
        "a client on strand " + std::to_string(n) + " of " + name);
  }
}

// Looks once a second for what hangs, whoever hangs.
class watchdog {
 public:
  watchdog(world& all, std::chrono::seconds patience)
      : thread_([this, &all, patience] {
          std::unique_lock lock(mutex_);
          while (!changed_.wait_for(lock, 1s, [this] { return is_over_; })) {
            all.watch(patience);
          }
        }) {}
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog() {
    {
      std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::thread thread_;
};

// Servers whose starter was destroyed are known to nobody: without this they would become more and more.
class old_ones {
 public:
  // Called from time to time: ends the processes that were there the time before the last.
  void kill_those() {
    std::uint64_t newest = last_;
    for (const otpp::process_info& one : otpp::processes()) {
      newest = std::max(newest, one.id);
      if (one.id <= before_last_) {
        otpp::kill(one.who);
      }
    }
    before_last_ = std::exchange(last_, newest);
  }

 private:
  std::uint64_t last_ = 0;
  std::uint64_t before_last_ = 0;
};

// All at once, until then. Afterwards nothing is left.
bool run(const settings& how) {
  world all(how.seed);
  watchdog dog(all, how.patience);
  dice random(how.seed);
  auto until = clock_type::now() + std::chrono::seconds(how.seconds);
  std::vector<std::thread> outsiders;
  for (std::uint64_t n = 0; n != 2; ++n) {
    outsiders.emplace_back([&all, n] { talk_from_outside(all, n); });
  }
  outsiders.emplace_back([&all] { answer_from_outside(all); });
  add_clients(all, all.io, true, "the io_context");
  add_clients(all, all.pool, true, "the pool");
  std::shared_ptr<actor> self = all.add_actor("the thread that makes and destroys contexts");
  old_ones old;
  auto nudged = clock_type::now();
  auto nudge = [&] {
    if (clock_type::now() - nudged > 1s) {
      nudged = clock_type::now();
      all.io.nudge();
      all.pool.nudge();
      all.helpers.nudge();
      asio::post(asio::system_executor(), [] {});
      old.kill_those();
    }
  };
  // Pairs of contexts, whose clients and servers know each other.
  while (clock_type::now() < until) {
    self->now("makes a context");
    std::size_t which = random.below(all.mortals.size());
    if (all.mortals[which]) {
      self->now("destroys a context");
      all.mortals[which]->close();
    }
    place& made = all.make_mortal(random, which);
    add_clients(all, made, false, "a context that is to go");
    self->now("rests");
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20'000)));
    nudge();
  }

  all.over = true;
  self->now("waits for the clients");
  {
    std::unique_lock lock(all.clients_mutex);
    while (!all.clients_changed.wait_for(lock, 1s, [&] { return all.clients_that_stay == 0; })) {
      self->now("waits for the clients");
      nudge();
    }
  }
  self->now("waits for the threads of no context");
  all.end_calls();
  for (std::thread& one : outsiders) {
    one.join();
  }
  self->now("destroys the contexts");
  for (std::size_t slot = 0; slot != world::slots; ++slot) {
    all.put(slot, worker_ref());
  }
  for (auto& one : all.mortals) {
    one.reset();
  }
  all.io.close();
  all.pool.close();
  all.take_calls();
  // A server whose executor owns its context keeps that as long as it lives.
  auto end = clock_type::now() + how.patience;
  int owned = all.wait_for_owned(0s);
  while (owned != 0 && clock_type::now() < end) {
    for (const otpp::process_info& one : otpp::processes()) {
      otpp::kill(one.who);
    }
    self->now("waits for the contexts that executors own");
    owned = all.wait_for_owned(1s);
  }
  bool good = holds(owned == 0, "a context that its executors own is not destroyed");
  all.helpers.close();
  return good;
}

bool check() {
  bool good = holds(total(count::lost) == 0, "an operation was lost");
  good &= holds(
      total(count::begun) == total(count::ended) + total(count::failed) + total(count::destroyed),
      "an operation never ended");
  good &= holds(total(count::contexts_made) == total(count::contexts_destroyed), "a context is left");
  good &= holds(total(count::states_made) == total(count::states_gone), "a state is left");
  good &= holds(total(count::messages_made) == total(count::messages_gone), "a message is left");
  good &= holds(total(count::bodies_made) == total(count::bodies_gone), "the body of a process is left");
  return good;
}

// Runs what follows in a program of its own, and returns there. In this one, it ends with success if that fails. If it
// does not, it is run again with another seed: what needs many threads in one place may not happen in a few seconds on
// a machine that others use.
void expect_failure(settings& how) {
  for (int attempt = 0; attempt != 10; ++attempt) {
    pid_t child = fork();
    if (child == 0) {
      how.seed += static_cast<std::uint64_t>(attempt);
      return;
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
      std::perror("fork");
      std::exit(EXIT_FAILURE);
    }
    if (status != 0) {
      std::printf("found\n");
      std::exit(EXIT_SUCCESS);
    }
  }
  std::printf("NOT FOUND\n");
  std::exit(EXIT_FAILURE);
}

[[noreturn]] void usage() {
  std::fprintf(
      stderr, "usage: otpp_lifetimes [--seconds N] [--seed N] [--patience SECONDS] [--plant FAULT]\n");
  std::exit(2);
}

settings read(int argc, char** argv) {
  settings how;
  for (int n = 1; n < argc; n += 2) {
    if (n + 1 == argc) {
      usage();
    }
    std::string_view option = argv[n];
    std::string_view text = argv[n + 1];
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      usage();
    }
    if (option == "--seconds") {
      how.seconds = value;
    } else if (option == "--seed") {
      how.seed = value;
    } else if (option == "--patience") {
      how.patience = std::chrono::seconds(value);
    } else if (option == "--plant") {
      how.fault = static_cast<int>(value);
    } else {
      usage();
    }
  }
  return how;
}

} // namespace
} // namespace lifetimes

int main(int argc, char** argv) {
  using namespace lifetimes;
  settings how = read(argc, argv);
  if (how.fault != 0) {
    expect_failure(how);
  }
  seed_naps(how.seed);
  plant(how.fault);
  otpp::subscription crashes =
      otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) { note(count::crashes); });
  otpp::subscription quiet = otpp::subscribe<otpp::supervisor_report>([](const otpp::supervisor_report&) {});
  // That of callbacks without an executor stays.
  auto stays = otpp::detail::context_state::of(asio::system_executor());
  auto begin = clock_type::now();
  bool good = run(how);
  good &= check();
  good &= holds(counted_context::alive() == 1, "what the library keeps for a context is left");
  print_figures(std::chrono::duration<double>(clock_type::now() - begin).count());
  std::printf(good ? "nothing lost\n" : "FAILED with seed %llu\n", static_cast<unsigned long long>(how.seed));
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
