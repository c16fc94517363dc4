// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_server/options.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/dice.hpp"

// Where all of them live: contexts that stay and contexts that come and go, the executors of the users' own, and
// the servers that everybody knows.

namespace lifetimes {

using namespace std::chrono_literals;

// ---- what is counted ----

enum class count : std::size_t {
  begun, // operations: begun = ended + failed + destroyed, and none is lost
  ended,
  failed,
  destroyed, // with its context, or by its executor, which refused it
  lost,      // destroyed although its context lived
  contexts_made,
  contexts_destroyed,
  clients,
  servers,
  start_failures,
  states_made,
  states_gone,
  messages_made,
  messages_gone,
  bodies_made,
  bodies_gone,
  crashes,
  handlers_away,
  handlers_blocked,
  handlers_cancelled,
  downs,
  exit_signals,
  ticks,
  answered_elsewhere,
  refused_by_executor,
  size
};

void note(count what, std::int64_t n = 1) noexcept;
std::int64_t total(count what) noexcept;

// Counts each copy of what it is a member of.
template <count Made, count Gone>
struct counted {
  counted() noexcept { note(Made); }
  counted(const counted&) noexcept { note(Made); }
  counted& operator=(const counted&) = default;
  ~counted() { note(Gone); }
};
using counted_state = counted<count::states_made, count::states_gone>;
using counted_message = counted<count::messages_made, count::messages_gone>;
using counted_body = counted<count::bodies_made, count::bodies_gone>;

// Whether what is begun may be destroyed unfinished: true once its context goes, or its executor has refused work.
using permission = std::shared_ptr<std::atomic<bool>>;

// One operation, from its beginning to its end, wherever it ends.
class operation {
 public:
  explicit operation(permission may_go) noexcept : may_go_(std::move(may_go)) { note(count::begun); }
  operation(operation&& other) noexcept = default;
  operation& operator=(operation&&) = delete;
  ~operation() {
    if (may_go_) {
      note(*may_go_ ? count::destroyed : count::lost);
    }
  }
  void end(bool has_failed = false) noexcept {
    may_go_.reset();
    note(has_failed ? count::failed : count::ended);
  }

 private:
  permission may_go_; // null when it has ended, or was moved from
};

// One that acts: what it does, for whoever looks for what hangs.
struct actor {
  explicit actor(std::string who) : name(std::move(who)) {}
  void now(const char* what) noexcept {
    doing.store(what, std::memory_order_relaxed);
    steps.fetch_add(1, std::memory_order_relaxed);
  }

  const std::string name;
  std::atomic<const char*> doing{"begins"};
  std::atomic<std::int64_t> steps{0};
  std::atomic<bool> is_gone{false};
  // The watchdog's own.
  std::int64_t seen = -1;
  std::chrono::steady_clock::time_point since{};
};

// ---- contexts ----

struct home {
  otpp::options how;
  bool may_block = false; // its other threads go on meanwhile
};

// One context with its threads.
class place {
 public:
  enum class kind { io_context, thread_pool };

  place(kind what, int threads, int strands);
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() { close(); }

  // Destroys the context with all that lives there. From outside of it.
  void close();

  // An empty function, for threads that sleep beside a queue with work in it (glibc bug 25847).
  void nudge();

  const permission closing = std::make_shared<std::atomic<bool>>(false);
  const bool is_serial; // one thread
  asio::any_io_executor executor;
  std::vector<asio::any_io_executor> strands; // which must go before their context
  std::vector<home> homes;

 private:
  std::optional<asio::io_context> io_;
  std::optional<asio::thread_pool> pool_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> crew_;
};

// ---- executors that are not Asio's own ----

struct refusal {
  explicit refusal(int n) : left(n) {}
  std::atomic<int> left;
  permission has_refused = std::make_shared<std::atomic<bool>>(false);
};

// Posts through another executor, may own the context behind it, and may refuse work after a while.
struct custom_executor {
  asio::any_io_executor inner;
  std::shared_ptr<void> owner;
  std::shared_ptr<refusal> limit;

  asio::execution_context& query(asio::execution::context_t) const noexcept {
    return asio::query(inner, asio::execution::context);
  }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  custom_executor require(asio::execution::blocking_t::never_t) const { return *this; }
  template <class Function>
  void execute(Function&& function) const {
    if (limit && limit->left.fetch_sub(1) <= 0) {
      *limit->has_refused = true;
      note(count::refused_by_executor);
      throw std::runtime_error("this executor refuses work");
    }
    asio::post(inner, std::forward<Function>(function));
  }
  friend bool operator==(const custom_executor& a, const custom_executor& b) noexcept {
    return a.inner == b.inner && a.owner == b.owner && a.limit == b.limit;
  }
  friend bool operator!=(const custom_executor& a, const custom_executor& b) noexcept { return !(a == b); }
};

// ---- all of it ----

struct worker;
using worker_ref = otpp::server_ref<worker>;

struct world {
  explicit world(std::uint64_t with_seed);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  // ---- servers that everybody knows ----

  static constexpr std::size_t slots = 24;

  worker_ref pick(dice& random);
  std::vector<worker_ref> pick_some(dice& random);
  void put(std::size_t slot, worker_ref one);
  worker_ref at(std::size_t slot);

  // Where a server may be started; its context may have been destroyed.
  home pick_home(dice& random);

  // An executor of a new kind each time; what waits on it may be destroyed when `may_go` says so.
  asio::any_io_executor make_custom(dice& random, permission& may_go);

  // ---- contexts ----

  place& make_mortal(dice& random, std::size_t which);

  // ---- calls that are left to a thread of no context ----

  void leave_call(otpp::caller<int> from);
  std::vector<otpp::caller<int>> take_calls(); // waits for some, or for the end; then it is empty

  // ---- those that act ----

  std::shared_ptr<actor> add_actor(std::string name);
  // Says what hangs, and ends the program.
  void watch(std::chrono::seconds patience);

  const std::uint64_t seed;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> numbers{0};

  place helpers{place::kind::thread_pool, 2, 0}; // for what handlers let others compute
  place io{place::kind::io_context, 2, 8};       // seven strands and one for refusals
  place pool{place::kind::thread_pool, 3, 2};
  std::array<std::unique_ptr<place>, 4> mortals; // changed by the main thread only

  std::mutex clients_mutex;
  std::condition_variable clients_changed;
  int clients_that_stay = 0;

 private:
  friend class place;
  std::mutex mutex_; // of the next three
  std::array<worker_ref, slots> servers_;
  std::deque<home> homes_;
  std::vector<std::shared_ptr<actor>> actors_;

  std::mutex calls_mutex_;
  std::condition_variable calls_changed_;
  std::vector<otpp::caller<int>> calls_;

  // Contexts whose last owner was an executor: that may have been on one of their own threads.
  void bury(place* last);
  std::mutex grave_mutex_;
  std::condition_variable grave_changed_;
  std::vector<place*> graves_;
  int owned_ = 0; // alive
  bool is_grave_closed_ = false;
  std::thread gravedigger_;

 public:
  // Waits until every context that its executors own is gone; says how many are left.
  int wait_for_owned(std::chrono::seconds patience);
  void end_calls();
};

} // namespace lifetimes
