// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/testing/client.hpp>
#include <otpp/testing/context.hpp>
#include <otpp/testing/detail/foreign_timers.hpp>
#include <otpp/testing/detail/ready_handler.hpp>
#include <otpp/testing/schedule.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::testing {

/// One run of a scenario: its contexts, its clients and its virtual time, all on one thread.
///
/// Time stands still while any event is ready, and then jumps to the next timer, so a test of an hour's
/// timeout takes no real time. The library's timeouts and deadlines use this time; so does
/// `asio::steady_timer` with <otpp/testing/steady_timer.hpp>.
///
/// @par Thread safety
/// None: all of it belongs to the thread that runs the scenario.
class world {
 public:
  /// A moment in virtual time.
  using time_point = std::chrono::steady_clock::time_point;

  /// Begins a run; `explore` makes one for each schedule.
  ///
  /// @param decides    Says what comes next; must outlive the world.
  /// @param is_traced  Whether `trace` has what has happened.
  explicit world(schedule& decides, bool is_traced = false) : decides_(decides), is_traced_(is_traced) {
    detail::foreign_timers::use_if_known(&now_);
    main_.emplace(*this);
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
    main_.reset();
    detail::foreign_timers::use_if_known(nullptr);
  }

  /// Returns the context that every world has; `testing::context other(world)` creates another. Not to be called once it
  /// was destroyed (`has_main_context`).
  context& main_context() { return *main_; }
  /// Returns the executor of the main context, as `main_context` does.
  context::executor_type get_executor() noexcept;

  /// Spawns a coroutine on the main context. The scenario fails if it ends by an exception, unless it was
  /// cancelled, and if it has not ended when the scenario has, unless its context was destroyed.
  ///
  /// @param name  What the trace calls it.
  /// @param body  A function that creates the coroutine, which is stored, so that its captures live as long
  ///              as the world; or the `asio::awaitable<void>` itself.
  template <class Body>
  client& spawn(std::string name, Body body) {
    return spawn_on(*main_, std::move(name), std::move(body));
  }

  /// Spawns a coroutine on another context of this world. All else as above.
  ///
  /// @param where  The context.
  /// @param name   As above.
  /// @param body   As above.
  template <class Body>
  client& spawn_on(context& where, std::string name, Body body);

  /// Allows an action at any one step from now on, or never.
  ///
  /// @param what    What the trace says when it is done.
  /// @param action  For example an operator who stops a server, a cancellation, or the destruction of a
  ///                context. It runs between two steps, on no executor.
  void may(std::string what, std::function<void()> action) {
    possible_.push_back({std::move(what), std::move(action)});
  }

  /// Allows the main context to be destroyed at any step from now on.
  void may_destroy_main_context() {
    may("the main context is destroyed", [this] { main_.reset(); });
  }
  /// Returns false once the main context was destroyed.
  bool has_main_context() const noexcept { return main_.has_value(); }

  /// Runs until nothing is ready and no timer is armed, or until a client has ended by an exception, which is
  /// rethrown.
  void run() { run_until((time_point::max)()); }

  /// Runs first in, first out: for the parts before and after the one that is to be explored.
  void run_in_order() {
    bool explored = std::exchange(is_explored_, false);
    run();
    is_explored_ = explored;
  }

  /// Runs for a while in virtual time.
  ///
  /// @param time  How long; zero runs what is ready now.
  void run_for(duration time) { run_until(otpp::detail::deadline_after(time, now_)); }

  /// Runs one step. Returns false if there is nothing to do.
  bool run_one() { return step((time_point::max)()); }

  /// Returns the virtual time, which starts with the world.
  time_point now() const noexcept { return now_; }

  /// Fails the scenario unless a condition holds. For those that are checked very often, where a macro of a
  /// test framework would take longer than the schedule.
  ///
  /// @param holds  The condition.
  /// @param what   What has not held: the text of the failure.
  void check(bool holds, const char* what) {
    if (!holds) {
      fail(what);
    }
  }

  /// Fails the scenario.
  ///
  /// @param what  The text of the failure.
  [[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

  /// Writes a line into the trace, which is printed if the schedule fails.
  ///
  /// @param line  Any text; without a trace it is dropped.
  void note(const std::string& line);

  /// Says how many messages a server may handle before others are run. To be called before anything is
  /// started.
  ///
  /// @param limit  1 by default: every message and every resumption may come after anything else that is
  ///               ready. A real context has 64.
  void set_turn_limit(int limit) noexcept { turn_limit_ = limit; }

  /// Sets the timeout of the calls that name none, in this world.
  ///
  /// @param timeout  A minute of virtual time costs nothing, and five seconds may be less than a scenario's
  ///                 servers take. `otpp::infinite` is allowed.
  void set_default_timeout(duration timeout) noexcept { default_timeout_ = timeout; }

  /// Runs everything that is left, and fails if a client has failed, or waits forever. Called by `explore`.
  void finish();

  /// Returns how many steps were run.
  std::uint64_t steps() const noexcept { return steps_; }
  /// Returns what has happened, a line for each event; empty if it is not traced.
  const std::vector<std::string>& trace() const noexcept { return trace_; }

 private:
  friend class context;

  struct possibility {
    std::string what;
    std::function<void()> action;
  };

  static constexpr std::uint64_t step_limit = 100'000;

  client& add(context& where, std::unique_ptr<client> kept, asio::awaitable<void> coroutine);
  template <class Function>
  void post(const context& where, Function&& function);
  void run_until(time_point end);
  bool step(time_point end);
  context* next_to_wake(time_point end) const noexcept;
  void run_ready(std::size_t which);
  void fire(context& sleeper);
  void happen(std::size_t which);
  void erase(const context& gone);
  void write(std::string line);

  schedule& decides_;
  bool is_traced_;
  bool is_explored_ = true;
  std::exception_ptr failure_; // by which a client has ended
  duration default_timeout_ = default_timeout;
  int turn_limit_ = 1;
  time_point begin_ = std::chrono::steady_clock::now();
  time_point now_ = begin_;
  std::uint64_t steps_ = 0;
  std::vector<std::unique_ptr<client>> clients_;
  std::vector<possibility> possible_;
  std::vector<context*> contexts_;
  std::vector<std::unique_ptr<detail::ready_handler>> ready_;
  std::vector<std::string> trace_;
  std::optional<context> main_;
};

// ---- implementation ----

inline context::context(world& owner) : asio::io_context(1), world_(&owner) {
  asio::make_service<otpp::detail::virtual_time_service>(
      *this, static_cast<otpp::detail::virtual_time*>(this));
  world_->contexts_.push_back(this);
}

inline context::~context() {
  shutdown(); // while the virtual time can still be read
  world_->erase(*this);
}

inline context::executor_type context::get_executor() noexcept { return {*world_, *this}; }
inline context::executor_type world::get_executor() noexcept { return main_->get_executor(); }

inline context::time_point context::now() const noexcept { return world_->now_; }
inline duration context::timeout_of(duration given) const noexcept {
  return given == otpp::detail::unsaid_timeout ? world_->default_timeout_ : given;
}
inline int context::turn_limit() const noexcept { return world_->turn_limit_; }
inline bool context::is_traced() const noexcept { return world_->is_traced_; }
inline void context::trace(std::string what_happened) { world_->write(std::move(what_happened)); }

template <class Function>
void context::executor_type::execute(Function&& function) const {
  world_->post(*context_, std::forward<Function>(function));
}

template <class Function>
void world::post(const context& where, Function&& function) {
  // As after the end of any context, the posted function is destroyed.
  if (std::find(contexts_.begin(), contexts_.end(), &where) != contexts_.end()) {
    ready_.push_back(std::make_unique<detail::ready_function<std::decay_t<Function>>>(
        where, std::forward<Function>(function)));
  }
}

template <class Body>
client& world::spawn_on(context& where, std::string name, Body body) {
  if constexpr (!detail::check_client<Body>()) {
    return *clients_.front();
  } else if constexpr (otpp::detail::kind_of_body<Body>() == otpp::detail::body_kind::coroutine) {
    return add(where, std::make_unique<client>(std::move(name)), std::move(body));
  } else {
    auto kept = std::make_unique<detail::client_of<Body>>(std::move(name), std::move(body));
    asio::awaitable<void> coroutine = kept->made_by();
    return add(where, std::move(kept), std::move(coroutine));
  }
}

inline client& world::add(context& where, std::unique_ptr<client> kept, asio::awaitable<void> coroutine) {
  client& made = *kept;
  made.home_ = &where;
  clients_.push_back(std::move(kept));
  asio::co_spawn(
      asio::any_io_executor(where.get_executor()), std::move(coroutine),
      asio::bind_cancellation_slot(made.signal_.slot(), [this, &made](std::exception_ptr error) {
        made.ended_ = true;
        note(made.name_ + (error ? " fails" : " ends"));
        if (!failure_ && !made.cancelled_) {
          failure_ = std::move(error);
        }
      }));
  return made;
}

inline void world::run_until(time_point end) {
  while (!failure_ && step(end)) { // what goes on forever would hide the cause
  }
  if (failure_) {
    std::rethrow_exception(failure_);
  }
  if (end != (time_point::max)()) {
    now_ = end;
  }
}

// The possible steps, in this order: handlers that are ready, the earliest timer, allowed actions.
inline bool world::step(time_point end) {
  detail::foreign_timers* foreign = detail::foreign_timers::known();
  for (std::size_t i = 0; i < contexts_.size(); ++i) {
    contexts_[i]->restart();
    contexts_[i]->poll(); // completed real I/O
    if (foreign) {
      contexts_[i]->wake_foreign_ = foreign->earliest(*contexts_[i]);
    }
  }
  context* sleeper = next_to_wake(end);
  if (ready_.empty() && !sleeper) {
    return false;
  }
  if (++steps_ > step_limit) {
    fail(
        "otpp: no end after " + std::to_string(step_limit) +
        " steps: something goes on forever, as a server with a recurring timeout does; use run_for()");
  }
  std::size_t timers = sleeper ? 1 : 0;
  std::size_t taken = is_explored_ ? decides_.pick(ready_.size() + timers + possible_.size()) : 0;
  if (taken < ready_.size()) {
    run_ready(taken);
  } else if (taken - ready_.size() < timers) {
    fire(*sleeper);
  } else {
    happen(taken - ready_.size() - timers);
  }
  return true;
}

inline context* world::next_to_wake(time_point end) const noexcept {
  context* result = nullptr;
  for (context* one : contexts_) {
    if (one->next() && *one->next() <= end && (!result || *one->next() < *result->next())) {
      result = one;
    }
  }
  return result;
}

inline void world::run_ready(std::size_t which) {
  auto at = ready_.begin() + static_cast<std::ptrdiff_t>(which);
  detail::ready_handler* taken = at->release();
  ready_.erase(at);
  taken->run();
}

inline void world::fire(context& sleeper) {
  time_point at = *sleeper.next();
  now_ = (std::max)(now_, at);
  if (is_traced_) {
    write(
        "it is " + std::to_string(std::chrono::duration<double, std::milli>(now_ - begin_).count()) + " ms");
  }
  if (auto fired = sleeper.timers_.take_if_at(at)) { // otherwise Asio updates the queue itself
    fired->for_lane->context().timer_fired(*fired->for_lane, {}, at);
  }
}

inline void world::happen(std::size_t which) {
  possibility taken = std::move(possible_[which]);
  possible_.erase(possible_.begin() + static_cast<std::ptrdiff_t>(which));
  write(taken.what);
  taken.action();
}

// Destroying a handler may post others, which are then destroyed as well.
inline void world::erase(const context& gone) {
  auto is_its = [&](const std::unique_ptr<detail::ready_handler>& one) { return one->home == &gone; };
  for (auto at = std::find_if(ready_.begin(), ready_.end(), is_its); at != ready_.end();
       at = std::find_if(ready_.begin(), ready_.end(), is_its)) {
    std::unique_ptr<detail::ready_handler> dropped = std::move(*at);
    ready_.erase(at);
  }
  contexts_.erase(std::find(contexts_.begin(), contexts_.end(), &gone));
  for (std::unique_ptr<client>& one : clients_) {
    if (one->home_ == &gone) {
      one->home_ = nullptr;
    }
  }
}

inline void world::finish() {
  run();
  for (const std::unique_ptr<client>& one : clients_) {
    if (!one->ended_ && one->home_) {
      fail(one->name_ + " waits forever");
    }
  }
}

inline void world::note(const std::string& line) {
  if (is_traced_) {
    write(line);
  }
}

inline void world::write(std::string line) {
  if (is_traced_) {
    trace_.push_back("  step " + std::to_string(steps_) + ": " + std::move(line));
  }
}

} // namespace otpp::testing

#pragma GCC visibility pop
