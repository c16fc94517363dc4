// SPDX-License-Identifier: BSL-1.0

// Everything at once, at random from a seed, until so many messages have been handled: calls, casts, infos,
// timeouts, cancellations, answers from elsewhere, crashes, restarts, races for names, contexts destroyed
// with servers in them; on io_contexts and thread pools with 1 to 8 threads. What must hold is counted by
// the messages, calls and servers themselves (tally.hpp), and is looked at after each storm.
//
//   otpp_stress [--messages N] [--seconds S] [--threads 1..8] [--servers N] [--seed N] [--storm N] [--soak]

#include <otpp/detail/asio.hpp>

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_future.hpp>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#include <malloc.h>
#endif

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <utility>

#include "support/resident_kib.hpp"

#include "client.hpp"

// libstdc++ counts the references to an exception in code that ThreadSanitizer has not instrumented: it does
// not see that the thread that frees an exception comes after those that looked at it. Nothing else is
// suppressed.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}

namespace {

using clock_type = std::chrono::steady_clock;

struct settings {
  std::int64_t messages = 1'000'000;
  std::int64_t seconds = 0; // if not zero, the limit instead of messages
  int threads = 0;          // zero: 1, 2, 4 and 8 in turn
  std::uint32_t servers = 64;
  std::uint64_t seed = 1;
  std::int64_t storm = 0; // messages of one storm; zero: a twelfth of all, within bounds
  bool soak = false;
};

std::int64_t handled() { return total(count::casts_handled) + total(count::calls_handled); }

long long ll(std::int64_t n) { return static_cast<long long>(n); }

double seconds_since(clock_type::time_point then) {
  return std::chrono::duration<double>(clock_type::now() - then).count();
}

// glibc 2.27 to 2.40 sometimes wakes up nobody by pthread_cond_signal, when several threads wait
// (sourceware bug 25847). Asio's threads then sleep beside a queue that has work in it, about once in 10^9
// messages here.
bool loses_signals() {
#ifdef __GLIBC__
  int major = 0;
  int minor = 0;
  return std::sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) == 2 && major == 2 && minor < 41;
#else
  return false;
#endif
}

// ---- one storm ----

struct storm {
  storm(const settings& s, std::uint64_t n, int t, int what)
      : how(s), number(n), threads(t), topology(what), all(s.servers, client_limit) {}

  static constexpr std::uint32_t client_limit = 32;

  const settings& how;
  const std::uint64_t number;
  const int threads;
  const int topology;
  town all;
  std::vector<std::unique_ptr<client>> clients; // under all.mutex
  std::int64_t quota = 0;

  const char* topology_name() const {
    const char* names[] = {"one thread_pool", "one io_context", "an io_context per thread"};
    return names[topology];
  }

  void add_client(place& where, std::uint32_t sender) {
    dice random((how.seed * 1'000'003 + number) * 1000 + sender + 97 * all.lives);
    bool in_strand = where.threads > 1 && random.below(2) == 0;
    asio::any_io_executor& executor = in_strand ? where.make_strand() : where.executor;
    client* made = nullptr;
    {
      std::lock_guard lock(all.mutex);
      clients.push_back(std::make_unique<client>(
          all, where, executor, in_strand || where.threads == 1, sender, random.roll()));
      made = clients.back().get();
      ++all.alive;
    }
    // Told when it has ended, and when it is destroyed with its context.
    std::shared_ptr<void> presence(nullptr, [t = &all](void*) {
      std::lock_guard lock(t->mutex);
      --t->alive;
      t->changed.notify_all();
    });
    asio::co_spawn(executor, made->live(), [presence](std::exception_ptr error) {
      note(count::unexpected, error ? 1 : 0);
    });
  }

  void start_servers() {
    dice random(how.seed + number);
    for (std::uint32_t slot = 0; slot != all.boxes.size(); ++slot) {
      place* where = all.places[random.below(all.places.size())].get();
      node::birth birth{&all, slot, where, 1};
      otpp::options options = all.options_for(slot, random.roll()).on(where->executor);
      std::future<node_ref> started = otpp::start<node>(std::move(options), birth, asio::use_future);
      started.get();
    }
  }

  // A thread of no context that talks to servers too, and waits in earnest.
  void talk_from_outside(std::uint32_t sender) {
    dice random(how.seed + number + sender);
    std::vector<route> routes(all.boxes.size());
    std::uint64_t life = ++all.lives;
    static const std::atomic<bool> never{false};
    while (!all.over.load(std::memory_order_relaxed)) {
      auto slot = random.below(all.boxes.size());
      route& to = routes[slot];
      all.refresh(to, slot);
      if (!to.ref) {
        continue;
      }
      for (std::uint32_t n = random.below(64); n != 0; --n) {
        note(count::casts_sent);
        header h = to.next_cast(sender, life, random.roll());
        if (otpp::try_cast<node::letter>(*to.ref, h)) {
          ++to.seq;
        } else {
          note(count::casts_refused);
        }
      }
      call_guard guard(never);
      header h = to.next_call(sender, life, random.roll());
      bool later = random.below(8) == 0;
      outsider_waits_for = later ? "an answer that comes later" : "an answer";
      std::future<node::answer_type> told =
          later ? otpp::call_for<node::ask_later>(*to.ref, patient, h, asio::use_future)
                : otpp::call_for<node::ask>(*to.ref, patient, h, asio::use_future);
      try {
        node::answer_type answer = told.get();
        guard.answer(answer, h.answer());
      } catch (...) {
        guard.fail(std::current_exception(), patient);
      }
      outsider_waits_for = nullptr;
    }
  }

  // Answers the calls that handlers have left, on a thread of no context.
  void answer_from_outside() {
    dice random(how.seed + number);
    while (true) {
      std::vector<std::pair<node::caller_type, node::answer_type>> batch;
      {
        std::unique_lock lock(all.bin_mutex);
        all.bin_changed.wait(lock, [this] { return !all.bin.empty() || all.bin_closed; });
        if (all.bin_closed) {
          return;
        }
        batch.swap(all.bin);
      }
      replier_is_at_work = true;
      for (auto& [from, value] : batch) {
        switch (random.below(8)) {
          case 0: break; // dropped
          case 1: from.fail(refused("elsewhere")); break;
          default: note(from.reply(value) ? count::answered_elsewhere : count::late_answers);
        }
      }
      replier_is_at_work = false;
    }
  }

  void run(std::int64_t wanted, clock_type::time_point until) {
    quota = wanted;
    dice random(how.seed * 7919 + number);
    std::vector<place*> homes;
    if (topology == 2) {
      for (int n = 0; n != threads; ++n) {
        homes.push_back(&all.open_place(place::kind::io_context, 1));
      }
    } else {
      homes.push_back(
          &all.open_place(topology == 0 ? place::kind::thread_pool : place::kind::io_context, threads));
    }
    std::uint32_t sender = how.servers;
    auto open_mortal = [&] {
      return &all.open_place(random.below(2) == 0 ? place::kind::io_context : place::kind::thread_pool, 1);
    };
    place* mortal = open_mortal();
    start_servers();
    std::thread replier([this] { answer_from_outside(); });
    std::thread outsider([this, n = sender++] { talk_from_outside(n); });
    for (int n = 0; n != std::max(4, 2 * threads); ++n) {
      add_client(*homes[static_cast<std::size_t>(n) % homes.size()], sender++);
    }
    std::uint32_t passenger = sender;
    add_client(*mortal, passenger);
    add_client(*mortal, passenger + 1);

    // From time to time one of the contexts is destroyed with all that is there, and another one made.
    std::int64_t step = std::clamp<std::int64_t>(quota / 4, 1, 10'000);
    bool time_is_up = false;
    while (!time_is_up && all.issued < quota) {
      {
        std::unique_lock lock(all.mutex);
        std::int64_t next = std::min(quota, all.issued + step);
        all.next_event = next;
        time_is_up = !all.changed.wait_until(lock, until, [this, next] { return all.issued >= next; });
      }
      mortal->close();
      mortal = open_mortal();
      add_client(*mortal, passenger);
      add_client(*mortal, passenger + 1);
    }
    all.over = true;
    phase = "waits for the clients";
    {
      std::unique_lock lock(all.mutex);
      all.changed.wait(lock, [this] { return all.alive == 0; });
    }
    phase = "waits for the thread outside";
    outsider.join();
    phase = "waits for the thread that answers";
    {
      std::lock_guard lock(all.bin_mutex);
      all.bin_closed = true;
    }
    all.bin_changed.notify_all();
    replier.join();
    phase = "stops servers";
    // Half of the servers are stopped, the others destroyed with their contexts.
    for (std::size_t slot = 0; slot < all.boxes.size(); slot += 2) {
      std::optional<node_ref> server;
      {
        std::lock_guard lock(all.boxes[slot].mutex);
        server = all.boxes[slot].ref;
      }
      try {
        std::future<void> stopped = server->stop(asio::use_future);
        stopped.get();
        note(count::stops);
      } catch (const otpp::error&) {
        // It had ended.
      }
    }
    phase = "closes contexts";
    for (std::size_t n = 0; n != all.places.size(); ++n) {
      all.places[n]->close();
    }
    all.bin.clear(); // answered when everybody is gone
  }

  // Gives the contexts with several threads something to do that does nothing: their threads look into their
  // queues again. Whatever the library has not put there stays where it is.
  void nudge() {
    asio::post(asio::system_executor(), [] {});
    std::lock_guard lock(all.places_mutex);
    for (auto& one : all.places) {
      if (one->threads > 1 && one->enter()) {
        asio::post(one->executor, [] {});
        one->leave();
      }
    }
  }

  // For the watchdog.
  std::atomic<const char*> phase{"goes on"};
  std::atomic<const char*> outsider_waits_for{nullptr};
  std::atomic<bool> replier_is_at_work{false};

  // What waits for what, as far as it can be seen from outside.
  void describe(std::FILE* out) {
    std::fprintf(
        out, "storm %llu: %s, %d threads; %lld of %lld messages issued, over: %d\n",
        static_cast<unsigned long long>(number), topology_name(), threads, ll(all.issued), ll(quota),
        all.over ? 1 : 0);
    const char* asked = outsider_waits_for;
    int unanswered = -1; // not known
    if (std::unique_lock bin_lock(all.bin_mutex, std::try_to_lock); bin_lock) {
      unanswered = static_cast<int>(all.bin.size());
    }
    std::fprintf(
        out,
        "  it %s; the thread outside waits for %s; the one that answers is %s, and has %d calls to answer\n",
        phase.load(), asked ? asked : "nothing", replier_is_at_work ? "at work" : "idle", unanswered);
    std::lock_guard lock(all.mutex);
    for (const auto& one : clients) {
      const char* doing = one->doing;
      bool is_there = !one->where.closing;
      if (is_there && doing && std::strcmp(doing, "finished") != 0) {
        std::fprintf(out, "  client %u: waits in: %s, for server %u\n", one->sender, doing, one->at.load());
      }
      if (int waiting = one->outstanding) {
        std::fprintf(out, "  client %u: waits for %d callbacks\n", one->sender, waiting);
      }
    }
    for (std::size_t slot = 0; slot != all.boxes.size(); ++slot) {
      post_box& box = all.boxes[slot];
      std::unique_lock box_lock(box.mutex, std::try_to_lock);
      const char* doing = box.doing;
      std::fprintf(
          out, "  server %zu: life %llu, %s, limit %zu, %d starting, %s", slot,
          static_cast<unsigned long long>(box.life.load()),
          !box_lock || !box.ref  ? "?"
          : box.ref->has_ended() ? "ended"
                                 : "alive",
          box.limit.load(), box.starting.load(), doing ? doing : "idle");
      if (box.waits_for >= 0) {
        std::fprintf(out, ", waits for server %d", box.waits_for.load());
      }
      std::fprintf(out, "\n");
    }
  }
};

// ---- the watchdog, who takes the samples too ----

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int patience = 3; // a sanitizer is slow, and stops everybody for its own work
#else
constexpr int patience = 1;
#endif

struct sample {
  double seconds;
  long resident;
};

class watchdog {
 public:
  explicit watchdog(const settings& s) : how_(s), begin_(clock_type::now()), thread_([this] { watch(); }) {}
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog() { finish(); }

  void look_at(storm* now) {
    std::lock_guard lock(mutex_);
    storm_ = now;
  }

  std::vector<sample> finish() {
    {
      std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
      thread_.join();
    }
    return samples_;
  }

  // How often nothing went on until threads that slept had been woken up. After finish().
  int lost_signals() const noexcept { return lost_signals_; }

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    std::int64_t before = -1;
    bool nudged = false;
    auto moved = clock_type::now();
    auto sampled = moved;
    if (how_.soak) {
      std::printf(
          "%10s %14s %10s %10s %10s %8s\n", "seconds", "messages", "RSS/KiB", "alive", "states", "storm");
    }
    while (!changed_.wait_for(lock, 1s, [this] { return finished_; })) {
      std::int64_t now = handled();
      auto time = clock_type::now();
      if (now != before) {
        lost_signals_ += std::exchange(nudged, false) ? 1 : 0;
        before = now;
        moved = time;
      } else if (time - moved > 10s * patience) {
        bark();
      } else if (time - moved > 5s * patience && storm_ && loses_signals() && !std::exchange(nudged, true)) {
        std::fprintf(stderr, "stress: no message handled in %d seconds: is a signal lost?\n", 5 * patience);
        storm_->describe(stderr);
        storm_->nudge();
      }
      if (how_.soak && time - sampled >= 5s) {
        sampled = time;
        take_sample(now);
      }
    }
  }

  void take_sample(std::int64_t messages) {
    samples_.push_back({seconds_since(begin_), resident_kib()});
    std::printf(
        "%10.0f %14lld %10ld %10lld %10lld %8llu\n", samples_.back().seconds, ll(messages),
        samples_.back().resident, ll(total(count::made) - total(count::opened) - total(count::unopened)),
        ll(total(count::states_made) - total(count::states_gone)),
        static_cast<unsigned long long>(storm_ ? storm_->number : 0));
    std::fflush(stdout);
  }

  [[noreturn]] void bark() {
    std::fprintf(
        stderr, "stress: no message handled in %d seconds, with seed %llu; %lld handled\n", 10 * patience,
        static_cast<unsigned long long>(how_.seed), ll(handled()));
    if (storm_) {
      storm_->describe(stderr);
    }
    std::fprintf(
        stderr, "  calls: %lld begun, %lld answered, %lld exited, %lld timed out; messages alive: %lld\n",
        ll(total(count::begun)), ll(total(count::answered)), ll(total(count::exited)),
        ll(total(count::timed_out)), ll(total(count::made) - total(count::opened) - total(count::unopened)));
    std::abort();
  }

  const settings& how_;
  const clock_type::time_point begin_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool finished_ = false;
  storm* storm_ = nullptr;
  int lost_signals_ = 0;
  std::vector<sample> samples_;
  std::thread thread_;
};

// ---- what must hold ----

bool holds(bool condition, const char* what) {
  if (!condition) {
    std::fprintf(stderr, "stress: FAILED: %s\n", what);
  }
  return condition;
}

std::int64_t ends() {
  std::int64_t sum = 0;
  for (count how :
       {count::answered, count::failed, count::exited, count::no_process, count::timed_out, count::cancelled,
        count::no_reply, count::bad_message, count::calling_self, count::deadlock, count::abandoned}) {
    sum += total(how);
  }
  return sum;
}

std::int64_t dropped() {
  return total(count::casts_sent) - total(count::casts_refused) - total(count::casts_handled);
}

std::int64_t alive() { return total(count::made) - total(count::opened) - total(count::unopened); }

// Callbacks without an executor, whose server's context was destroyed, run on the system's threads, which nobody
// can join. The last may be on their way still when all contexts are gone, and their clients must be there. What
// is lost does not come, however long this waits; if it was a signal, the watchdog wakes those threads up.
void wait_for_callbacks(storm& now) {
  now.phase = "waits for callbacks on the system's threads";
  auto until = clock_type::now() + 8s * patience;
  while ((alive() != 0 || total(count::begun) != ends()) && clock_type::now() < until) {
    std::this_thread::sleep_for(1ms);
  }
}

bool check() {
  bool good = true;
  auto is_zero = [&good](count what, const char* name) {
    if (std::int64_t n = total(what)) {
      std::fprintf(stderr, "stress: FAILED: %lld %s\n", ll(n), name);
      good = false;
    }
  };
  is_zero(count::lost, "lost");
  is_zero(count::duplicated, "duplicated");
  is_zero(count::reordered, "reordered");
  is_zero(count::overlapping, "handlers at once");
  is_zero(count::misdelivered, "delivered to another server");
  is_zero(count::wrong_answers, "wrong answers");
  is_zero(count::ended_twice, "calls that ended twice");
  is_zero(count::orphaned, "calls that never ended");
  is_zero(count::late, "patient calls that timed out");
  is_zero(count::stale_names, "names of servers that had ended");
  is_zero(count::unwanted, "messages of monitors and timers that were given up, or twice");
  is_zero(count::unexpected, "unexpected errors");
  good &= holds(alive() == 0, "messages are still alive");
  good &= holds(dropped() >= total(count::reported_dropped), "more casts were reported dropped than were");
  good &= holds(total(count::begun) == ends(), "calls begun are not calls ended");
  good &= holds(total(count::states_made) == total(count::states_gone), "states are still alive");
  good &= holds(total(count::frames_made) == total(count::frames_gone), "frames are still alive");
  good &= holds(otpp::registered().empty(), "names are still registered");
  return good;
}

// The median of a part of the samples: storms differ in size, and so do their samples.
long median(std::vector<sample> of, double from, double to) {
  auto at = [&of](double part) {
    return of.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(of.size()));
  };
  std::vector<sample> some(at(from), at(to));
  std::sort(
      some.begin(), some.end(), [](const sample& a, const sample& b) { return a.resident < b.resident; });
  return some[some.size() / 2].resident;
}

bool is_flat(const std::vector<sample>& samples) {
  if (samples.size() < 20) {
    std::printf("RSS: %zu samples are too few to judge\n", samples.size());
    return true;
  }
  long first = median(samples, 0.1, 0.4);
  long last = median(samples, 0.7, 1.0);
  // 512 KiB: half of what the library's depot may hold, which fills once and never again.
  long allowance = std::max(first / 100, 512L);
  bool flat = last - first <= allowance;
  std::printf(
      "RSS after the first tenth: %ld KiB, at the end: %ld KiB, drift %+ld KiB (%+.2f %%), allowed %ld: %s\n",
      first, last, last - first, 100.0 * static_cast<double>(last - first) / static_cast<double>(first),
      allowance, flat ? "flat" : "GROWS");
  return flat;
}

void print_figures(double seconds, const char* threads) {
  auto n = [](count what) { return ll(total(what)); };
  std::int64_t messages = handled();
  std::printf(
      "messages %lld, seconds %.1f, messages/s %.0f, threads %s | "
      "casts %lld sent %lld handled %lld refused %lld dropped (%lld reported) | "
      "calls %lld begun %lld handled: %lld answered %lld failed %lld exited %lld no_process %lld timeout "
      "%lld cancelled %lld no_reply %lld bad_message %lld calling_self %lld deadlock %lld abandoned | "
      "%lld answered elsewhere %lld too late | starts %lld races %lld init failures %lld | "
      "crashes %lld stops %lld joins %lld kills %lld contexts destroyed %lld | "
      "links %lld exit signals %lld monitors %lld downs %lld timers %lld ticks %lld | "
      "names found %lld missed %lld | "
      "lost %lld duplicated %lld reordered %lld | live: messages %lld states %lld frames %lld | "
      "RSS %ld KiB\n",
      ll(messages), seconds, static_cast<double>(messages) / seconds, threads, n(count::casts_sent),
      n(count::casts_handled), n(count::casts_refused), ll(dropped()), n(count::reported_dropped),
      n(count::begun), n(count::calls_handled), n(count::answered), n(count::failed), n(count::exited),
      n(count::no_process), n(count::timed_out), n(count::cancelled), n(count::no_reply),
      n(count::bad_message), n(count::calling_self), n(count::deadlock), n(count::abandoned),
      n(count::answered_elsewhere), n(count::late_answers), n(count::starts), n(count::start_races),
      n(count::init_failures), n(count::crashes), n(count::stops), n(count::joins), n(count::kills),
      n(count::places_destroyed), n(count::links), n(count::exit_signals), n(count::monitors),
      n(count::downs), n(count::timers), n(count::ticks), n(count::names_found), n(count::names_missed),
      n(count::lost), n(count::duplicated), n(count::reordered), ll(alive()),
      ll(total(count::states_made) - total(count::states_gone)),
      ll(total(count::frames_made) - total(count::frames_gone)), resident_kib());
}

[[noreturn]] void usage() {
  std::fprintf(
      stderr,
      "usage: otpp_stress [--messages N] [--seconds S] [--threads 1..8] [--servers N] [--seed N] "
      "[--storm N] [--soak]\n");
  std::exit(2);
}

settings read(int argc, char** argv) {
  settings how;
  for (int n = 1; n < argc; ++n) {
    std::string_view option = argv[n];
    if (option == "--soak") {
      how.soak = true;
      continue;
    }
    if (n + 1 == argc) {
      usage();
    }
    std::string_view text = argv[++n];
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) {
      usage();
    }
    if (option == "--messages" && value > 0) {
      how.messages = value;
    } else if (option == "--seconds") {
      how.seconds = value;
    } else if (option == "--threads" && value >= 1 && value <= 8) {
      how.threads = static_cast<int>(value);
    } else if (option == "--servers" && value >= 1 && value <= 10'000) {
      how.servers = static_cast<std::uint32_t>(value);
    } else if (option == "--seed") {
      how.seed = static_cast<std::uint64_t>(value);
    } else if (option == "--storm") {
      how.storm = value;
    } else {
      usage();
    }
  }
  return how;
}

} // namespace

int main(int argc, char** argv) {
  const settings how = read(argc, argv);
#ifdef __GLIBC__
  if (how.soak) {
    // Each new thread may get another of glibc's heaps, which for minutes grow beside each other and would
    // hide a leak: in one heap what is free is used again.
    mallopt(M_ARENA_MAX, 1);
  }
#endif
  otpp::subscription crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report& report) {
    note(count::crashes);
    note(count::reported_dropped, static_cast<std::int64_t>(report.dropped));
  });
  auto begin = clock_type::now();
  auto until = how.seconds ? begin + std::chrono::seconds(how.seconds) : begin + std::chrono::hours(24 * 365);
  std::int64_t wanted = how.seconds ? std::int64_t{1} << 62 : how.messages;
  std::int64_t size = how.storm ? how.storm : std::clamp<std::int64_t>(wanted / 12, 20'000, 2'000'000);
  bool good = true;
  watchdog dog(how);
  for (std::uint64_t number = 0; good && handled() < wanted && clock_type::now() < until; ++number) {
    constexpr int thread_counts[] = {1, 2, 4, 8};
    int threads = how.threads ? how.threads : thread_counts[number % 4];
    storm now(how, number, threads, static_cast<int>(number / 4 % 3));
    dog.look_at(&now);
    now.run(std::min(size, wanted - handled()), until);
    wait_for_callbacks(now);
    dog.look_at(nullptr);
    now.clients.clear();
    for (post_box& box : now.all.boxes) {
      box.ref.reset();
    }
    good = check();
    if (!good) {
      std::fprintf(
          stderr, "stress: seed %llu, in storm %llu: %s, %d threads\n",
          static_cast<unsigned long long>(how.seed), static_cast<unsigned long long>(number),
          now.topology_name(), threads);
    }
  }
  std::vector<sample> samples = dog.finish();
  print_figures(seconds_since(begin), how.threads ? std::to_string(how.threads).c_str() : "1,2,4,8");
  if (dog.lost_signals() != 0) {
    std::printf(
        "%d times no messages were handled until threads that slept were given something to do: this glibc "
        "loses signals (bug 25847)\n",
        dog.lost_signals());
  }
  if (how.soak) {
    good &= holds(is_flat(samples), "RSS grows");
  }
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
