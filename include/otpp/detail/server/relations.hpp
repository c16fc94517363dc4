// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/drain_plan.hpp>
#include <otpp/detail/server/exit_signals.hpp>
#include <otpp/detail/server/open_calls.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/supervisor/supervision.hpp>
#include <otpp/timeout.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class owned_coroutine;

// Something that ends with its server, such as a timer.
class owned_timer {
 public:
  // Keeps it alive until server_ended(). Called under the lock of the server's context.
  virtual void retain() noexcept = 0;

  // Has to take itself off the list, unless that has been done meanwhile. Not called under a lock.
  virtual void server_ended() noexcept = 0;

 protected:
  virtual ~owned_timer() = default;

 private:
  friend intrusive_list<owned_timer>;
  list_hook<owned_timer> hook_;
};

// Tells a process of a message beside the queue of its mailbox (bound.hpp).
class message_notice final : public task {
 public:
  explicit message_notice(server_core& owner) noexcept : owner_(owner) {}

  void run() override {
    owner_.queue().notice_is_over();
    owner_.look_beside();
  }
  void discard() noexcept override { owner_.queue().notice_is_over(); }

 private:
  server_core& owner_;
};

// Takes the messages of a process that is one coroutine: all of them come while the coroutine runs.
class receiver {
 public:
  virtual bool wants(const envelope& item) const noexcept = 0;
  virtual void accept(envelope& item) noexcept = 0;
  virtual void on_context_destroyed() noexcept = 0;

 protected:
  ~receiver() = default;
};

// What the coroutine of a process has returned (process/detail/result.hpp).
class kept_result {
 public:
  kept_result() = default;
  kept_result(const kept_result&) = delete;
  kept_result& operator=(const kept_result&) = delete;
  virtual ~kept_result() = default;
};

// What only few processes need: monitors and links, timers, calls that wait for the end, and exit signals. It
// is created at its first use, and lives until the process is destroyed.
//
// The three lists are guarded by the lock of the process's context. The functions take it, unless they are
// documented to be called under it.
class relations {
 public:
  // One end of a relation, in the list of the process at that end.
  class node {
   public:
    node() = default;
    node(const node&) = delete;
    node& operator=(const node&) = delete;

   private:
    friend relations;
    friend intrusive_list<node>;
    list_hook<node> hook_;
  };

  relations(const relations&) = delete;
  relations& operator=(const relations&) = delete;
  ~relations() {
    delete get_supervision();
    delete get_place();
    delete drains();
  }

  // ---- any thread ----

  // Returns the relations of a process, and creates them at the first use. May throw std::bad_alloc.
  static relations& of(server_core& process) {
    relations* its = process.related();
    if (!its) {
      std::unique_ptr<relations> made(new relations(process));
      if (process.relations_.compare_exchange_strong(
              its, made.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
        its = made.release();
      }
    }
    return *its;
  }

  // Returns the id of the process that has started this one with a link; otherwise zero.
  static std::uint64_t parent_of(const server_core& process) noexcept {
    relations* its = process.related();
    return its ? its->parent : 0;
  }

  // What has come of adding to a list. Refused: the process has ended; end_reason() then says why.
  enum class addition : std::uint8_t { made, redundant, refused };

  // Lists one end of a relation; redundant if it is listed.
  addition add(node& one) noexcept {
    return add_unless(one, [&] { return one.hook_.is_linked(); });
  }

  // Lists one end of a relation; redundant if one is listed for which `is_twin`, called under the lock, returns true.
  template <class Twin>
  addition add(node& one, Twin is_twin) noexcept {
    return add_unless(one, [&] { return nodes_.find(is_twin) != nullptr; });
  }

  // Takes one end off the list. Returns true if it was listed; it will then cause no notification.
  bool erase(node& one) noexcept {
    std::lock_guard lock(owner_.context().mutex());
    return nodes_.erase_if_linked(one);
  }

  // Takes any listed end off the list; returns null if none is left.
  node* take_node() noexcept {
    std::lock_guard lock(owner_.context().mutex());
    return nodes_.pop_front();
  }

  // Calls `visit` under the lock with each listed end, until it returns true.
  template <class Visit>
  void find_node(Visit visit) noexcept {
    std::lock_guard lock(owner_.context().mutex());
    nodes_.find(std::move(visit));
  }

  // Completes `slot` when the process ends, or immediately if it has ended.
  void watch(reply_slot& slot) noexcept {
    intrusive_list<reply_slot> ended;
    bool is_listed = false;
    {
      std::lock_guard lock(owner_.context().mutex());
      if (owner_.life_ != server_core::life::ended) {
        erase_decided_watchers(ended);
        slot.is_owned_by_server = true; // the list owns the server half
        watchers_.push_front(slot);
        ++watcher_count_;
        is_listed = true;
      }
    }
    while (reply_slot* one = ended.pop_front()) {
      one->release_server_half();
    }
    if (is_listed) {
      return;
    }
    owner_.tell_end(slot, slot.try_claim());
    slot.release_server_half();
  }

  // The calls that wait for the end.
  intrusive_list<reply_slot>& watchers() noexcept { return watchers_; }

  // Sends the process an exit signal, and takes ownership of it.
  void send_exit_signal(pending_exit& one) noexcept {
    intrusive_ptr<server_core> keep(&owner_); // the process may end once the signal is submitted
    if (owner_.traps_exits() && (!one.is_kill || owner_.stands_for_another())) {
      const bool is_ahead = one.is_ahead;
      envelope& message = one.to_message(parent);
      mailbox::result result = is_ahead && !message.is_ahead
                                   ? owner_.send<&mailbox::push_ahead>(message)
                                   : owner_.send<&mailbox::push_library_message>(message);
      if (result != mailbox::result::taken) {
        message.discard_message();
      } else if (is_ahead) {
        hurry();
      }
      return;
    }
    bool is_taken = false;
    {
      context_guard inside(owner_.context());
      is_taken = inside && incoming.push(one, owner_, inside.here());
    } // else the process ends with its context; whoever takes it out would not be alone
    if (!is_taken) {
      static_cast<task&>(one).discard();
    }
  }

  // A message that is_ahead has been put into the mailbox. Any thread.
  void hurry() noexcept { orders_.fetch_or(ahead_order, std::memory_order_release); }

  // How the process is drained. Any thread; the first may throw std::bad_alloc, the second returns null if it never was.
  static drain_plan& plan_drain(server_core& process) {
    relations& its = of(process);
    drain_plan* plan = its.drains();
    if (!plan) {
      auto made = std::make_unique<drain_plan>(process);
      if (its.drain_.compare_exchange_strong(
              plan, made.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
        plan = made.release();
      }
    }
    return *plan;
  }
  drain_plan* drains() const noexcept { return drain_.load(std::memory_order_acquire); }

  // Drains the process. Any thread. Precondition: it was planned.
  void drain(const exit_reason& reason, duration within) noexcept {
    if (drain_plan* plan = drains(); plan->begin(reason, within)) {
      orders_.fetch_or(drain_order, std::memory_order_release);
      plan->look();
    }
  }
  bool is_draining() const noexcept { return (orders_.load(std::memory_order_acquire) & drain_order) != 0; }

  // Called by the process itself.
  bool has_orders() const noexcept { return orders_.load(std::memory_order_relaxed) != 0; }
  bool take_hurry() noexcept {
    return (orders_.fetch_and(drain_order, std::memory_order_acquire) & ahead_order) != 0;
  }

  // Voids the exit signals that came through a link from `who`. Called by the process itself.
  void ignore_exit_signals_of(std::uint64_t who) noexcept {
    if (owner_.follows_exit_signals()) {
      incoming.ignore_from(who);
    }
  }

  // Marks the process as a supervisor, once: its end includes that of its children, and may take long.
  void supervise(std::unique_ptr<const supervision> how) noexcept {
    supervision_.store(how.release(), std::memory_order_release);
  }
  bool supervises() const noexcept { return get_supervision() != nullptr; }
  const supervision* get_supervision() const noexcept { return supervision_.load(std::memory_order_acquire); }

  // Says which child it is, once.
  void take_place(std::unique_ptr<const child_place> where) noexcept {
    place_.store(where.release(), std::memory_order_release);
  }
  const child_place* get_place() const noexcept { return place_.load(std::memory_order_acquire); }

  // ---- timers, under the lock ----

  // Returns false if the server has ended.
  bool add(owned_timer& one) noexcept {
    if (owner_.life_ == server_core::life::ended) {
      return false;
    }
    timers_.push_front(one);
    return true;
  }

  void erase(owned_timer& one) noexcept { timers_.erase(one); }

  // Ends the timers of a process that has ended.
  void end_timers() noexcept {
    if (drain_plan* plan = drains()) {
      plan->disarm();
    }
    while (true) {
      owned_timer* one = nullptr;
      {
        std::lock_guard lock(owner_.context().mutex());
        one = timers_.front();
        if (!one) {
          return;
        }
        one->retain();
      }
      one->server_ended();
    }
  }

  // ---- the state, to which coroutines refer whose context is being destroyed ----

  // The count begins with the server's own part, which server_core::desert_state() leaves; if there were no relations
  // then, that part is the handler's.
  void share_state() noexcept { state_users_.fetch_add(1, std::memory_order_relaxed); }

  // Returns true if this was the last: then the state is to be destroyed.
  bool leave_state() noexcept { return state_users_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  // The coroutines that end with the process (owned_coroutine.hpp). Used by the process itself, or the destruction of
  // its context.
  intrusive_list<owned_coroutine> coroutines;

  exit_signals incoming;
  message_notice notice;
  int beside_in_a_row = 0;  // how many messages beside the queue it has taken since its tasks had a turn
  receiver* body = nullptr; // what takes all messages; by the process itself
  std::uint64_t parent = 0; // see parent_of(); written before the process is launched, like the next one

  // By whoever joins the process, which has ended.
  const std::unique_ptr<kept_result>& result() const noexcept { return result_; }

  // By the coroutine of the process, which may run elsewhere while its context is being destroyed: then it is too late.
  void keep_result(std::unique_ptr<kept_result> made) noexcept {
    std::lock_guard lock(owner_.context().mutex());
    if (owner_.life_ != server_core::life::ended) {
      result_ = std::move(made);
    }
  }

  // The context of the otpp::run whose end is to stop this process, if it runs on another one; otherwise null.
  intrusive_ptr<context_state> program;

 private:
  explicit relations(server_core& owner) noexcept : notice(owner), owner_(owner) {}

  template <class Redundant>
  addition add_unless(node& one, Redundant is_redundant) noexcept {
    std::lock_guard lock(owner_.context().mutex());
    if (owner_.life_ == server_core::life::ended) {
      return addition::refused;
    }
    if (is_redundant()) {
      return addition::redundant;
    }
    nodes_.push_front(one);
    return addition::made;
  }

  // Takes off the watchers that a timeout or a cancellation has ended. This is done each time the list has
  // doubled, so that repeated waits do not make it grow without bound.
  void erase_decided_watchers(intrusive_list<reply_slot>& ended) noexcept {
    if (watcher_count_ < watcher_limit_) {
      return;
    }
    watchers_.for_each([&](reply_slot& slot) {
      if (slot.decided()) {
        watchers_.erase(slot);
        ended.push_front(slot);
        --watcher_count_;
      }
    });
    watcher_limit_ = 2 * watcher_count_ + 16;
  }

  server_core& owner_;
  intrusive_list<node> nodes_;
  intrusive_list<owned_timer> timers_;
  intrusive_list<reply_slot> watchers_;
  std::unique_ptr<kept_result> result_;
  std::uint32_t watcher_count_ = 0;
  std::uint32_t watcher_limit_ = 16;
  std::atomic<std::uint32_t> state_users_{1};
  std::atomic<const supervision*> supervision_{nullptr};
  std::atomic<const child_place*> place_{nullptr};
  std::atomic<drain_plan*> drain_{nullptr};
  static constexpr std::uint8_t ahead_order = 1;
  static constexpr std::uint8_t drain_order = 2;
  std::atomic<std::uint8_t> orders_{0};
};

} // namespace otpp::detail

#pragma GCC visibility pop
