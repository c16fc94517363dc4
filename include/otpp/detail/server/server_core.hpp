// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/crash_report.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/observable.hpp>
#include <otpp/detail/server/relation_end.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

namespace otpp::detail {

// A name that a server holds; destroying it frees the name.
struct name_registration {
  virtual ~name_registration() = default;
  virtual std::string_view text() const noexcept { return {}; }
  std::unique_ptr<name_registration> next;
};

// Something that ends with its server, such as a timer for it. Listed under the room's lock.
class owned_timer {
 public:
  // Keeps it until server_ended(). In the lock.
  virtual void retain() noexcept = 0;

  // Has to take itself out of the list, unless somebody else has meanwhile. In no lock.
  virtual void server_ended() noexcept = 0;

 protected:
  virtual ~owned_timer() = default;

 private:
  friend class server_core;
  owned_timer* next_ = nullptr;
  owned_timer* before_ = nullptr;
};

// What references and registries point to: a server without its types.
//
// Its life goes one way, moved by the loop only (or, when the context is destroyed, by evict()):
//
//   starting -> running -> ending -> ended        init failed: starting -> ending -> ended
//
// While it is starting, running or ending the mailbox accepts. The end has one order, always: see
// finish(). What is touched by other threads is the mailbox and the work queue, which look after
// themselves, and the lists of names, open calls and watchers, under the room's lock; the rest belongs
// to the loop, on the server's serial executor.
class server_core : public observable {
 public:
  enum class life : std::uint8_t { starting, running, ending, ended };
  enum class verb : std::uint8_t { call, cast, info };

  // Takes the messages of a process that is one coroutine: all come while that is at work.
  class receiver {
   public:
    virtual void accept(envelope& item) noexcept = 0;
    // The context is being destroyed.
    virtual void give_up() noexcept = 0;

   protected:
    ~receiver() = default;
  };

  // ---- for senders: any thread ----

  // Puts an envelope in the mailbox. What is not taken, and not waiting, is still the caller's.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  mailbox::result send(envelope& item) noexcept {
    turn* here = turn::current();
    if (here && here->is_in(context())) {
      return send_inside<Push>(item, here);
    }
    // Afterwards the server may be gone: the last reference to it may have been in the message.
    context_state& gate = context();
    if (!gate.enter()) {
      return mailbox::result::closed;
    }
    mailbox::result result = send_inside<Push>(item, nullptr);
    gate.leave();
    return result;
  }

  // Registers a call where its caller waits, and puts it in the mailbox.
  template <class Request>
  OTPP_INLINE void send_call(unregistered<Request>&& request) noexcept {
    request->waits_for = static_cast<const process*>(this); // as settle() compares it
    turn* here = turn::current();
    if (here && here->is_in(context()) && here->is_in(request->context()) && claim(*here)) {
      Request& sent = request.release();
      here->add_fresh(sent);
      if (is_refused(mailbox_.push(sent, mailbox::by::receiver))) {
        sent.fail(errc::no_process);
      }
    } else {
      send_registered<&mailbox::push>(std::move(request));
    }
  }

  // Registers one who waits, and puts its message in the mailbox, in one step: a timeout that passed
  // between the two would let what is sent after it overtake the message.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept, class Request>
  void send_registered(unregistered<Request> request) noexcept {
    // Once it is sent, the request, its caller's context and this server are there only for who is inside.
    mailbox::result result = mailbox::result::closed;
    Request* unsent = nullptr;
    {
      context_guard there(context());
      bool is_registered = false;
      {
        context_guard home(request->context());
        is_registered = home.register_and(*request, [&]() noexcept {
          result = there ? push_inside<Push>(*request, there.here()) : result;
        });
      }
      if (!is_registered) {
        return; // it is destroyed when both gates have been left
      }
      Request& sent = request.release();
      result = wake_if_due(result, there.here());
      unsent = is_refused(result) ? &sent : nullptr;
    }
    if (unsent) {
      unsent->fail(errc::no_process);
    }
  }

  // Takes back what this sender has put in line for room; null if it is too late.
  envelope* withdraw(const void* sender) noexcept { return mailbox_.withdraw(sender); }

  // Tells whoever waits in `slot` of the end, now or when it comes. After expect_relations().
  void watch(reply_slot& slot) noexcept {
    reply_slot* given_up = nullptr;
    bool is_listed = false;
    {
      std::lock_guard lock(context().mutex());
      if (life_ != life::ended) {
        forget_decided_watchers(given_up);
        slot.is_orphan = true; // the server half is the list's
        link(related()->watchers, slot);
        ++related()->watcher_count;
        is_listed = true;
      }
    }
    while (given_up) {
      std::exchange(given_up, given_up->next_open)->leave();
    }
    if (is_listed) {
      return;
    }
    tell_end(slot, slot.try_claim());
    slot.leave();
  }

  // ---- relation_ends: monitors and links. Any thread, but for what is said ----

  // Sees to it that this can list relation_ends and watchers and take exit signals. May throw std::bad_alloc.
  void expect_relations();

  // Lists one end of a relation_end, or returns false: the process has ended, and end_reason() says why.
  bool add_relation_end(relation_end& one) noexcept; // loop.hpp

  // True if it was listed: then nobody is told of the end by it.
  bool remove_relation_end(relation_end& one) noexcept {
    std::lock_guard lock(context().mutex());
    return unlist(one);
  }

  // Finds the relation_end of a link, and gives it to `keep` in the lock.
  template <class Keep>
  void find_link(std::uint64_t other, Keep keep) noexcept {
    std::lock_guard lock(context().mutex());
    for (relation_end* one = related() ? related()->relation_ends : nullptr; one; one = one->next_) {
      if (one->linked_to() == other) {
        keep(*one);
        return;
      }
    }
  }

  // Of a process that has ended.
  const exit_reason& end_reason() const noexcept { return reason_; }

  // Takes an exit signal, after expect_relations(). Owns it from here on.
  void take_exit(pending_exit& order) noexcept;

  // Takes the meaning from a signal of `who` that has been taken already. By the process itself.
  void ignore_order_from(std::uint64_t who) noexcept;

  // By the process itself.
  void trap_exits(bool on) noexcept { traps_exits_.store(on, std::memory_order_relaxed); }
  bool traps_exits() const noexcept { return traps_exits_.load(std::memory_order_relaxed); }

  // Returns the id of the process that has started this one with a link; else zero.
  std::uint64_t parent() const noexcept { return related() ? related()->parent : 0; }

  // Before it is launched, and after expect_relations().
  void set_parent(const server_core& who) noexcept { related()->parent = who.id(); }

  // Says that others end with this process, so that its own end may take long. After expect_relations().
  void supervise() noexcept { related()->supervises.store(true, std::memory_order_relaxed); }
  bool supervises() const noexcept {
    return related() && related()->supervises.load(std::memory_order_relaxed);
  }

  // True if `init` has returned, once. By the process itself, or when it has ended.
  bool has_run() const noexcept { return has_run_; }

  // True if an exit signal ends it. By the process itself.
  bool killed_by_signal() const noexcept { return killed_by_signal_; }

  // Makes `body` take all messages, or gives that up. By the process itself, after expect_relations().
  void receive_with(receiver* body) noexcept { related()->body = body; }

  receiver* receives_with() const noexcept { return related() ? related()->body : nullptr; }

  // What a receiver does with the messages: keeps them in the mailbox, and takes out the first that fits.
  void put_aside(envelope& item) noexcept { mailbox_.put_aside(item); }
  template <class Wanted>
  envelope* take_first(Wanted wanted) noexcept {
    return mailbox_.take_first(std::move(wanted));
  }

  // Copies the name at a place in its list into `text`. False if there are not as many.
  template <class Text>
  bool copy_name(std::size_t place, Text& text) const noexcept {
    std::lock_guard lock(context().mutex());
    const name_registration* one = names_.get();
    for (; one && place != 0; --place) {
      one = one->next.get();
    }
    return one && text.take(one->text());
  }

  // ---- names ----

  virtual const std::type_info& callbacks_type_info() const noexcept = 0;
  virtual std::string_view type_name() const noexcept = 0;

  // Returns how to open a message that is on the server's list, else null.
  virtual envelope::opener find_opener(verb kind, const std::type_info& message) const noexcept = 0;

  std::string describe() const override {
    return name_ ? '"' + *name_ + '"' : std::string(type_name()) + "#" + std::to_string(id());
  }

  // Keeps a name until the end. False if the names were freed already; then it takes nothing.
  bool hold_name(std::unique_ptr<name_registration>& name) {
    std::lock_guard lock(context().mutex());
    if (names_freed_) {
      return false;
    }
    name->next = std::move(names_);
    names_ = std::move(name);
    return true;
  }

  // Gives back a name that is given up before the end.
  template <class Matches>
  std::unique_ptr<name_registration> give_up_name(Matches matches) noexcept {
    std::lock_guard lock(context().mutex());
    for (std::unique_ptr<name_registration>* at = &names_; *at; at = &(*at)->next) {
      if (matches(**at)) {
        std::unique_ptr<name_registration> found = std::move(*at);
        *at = std::move(found->next);
        return found;
      }
    }
    return nullptr;
  }

  // ---- what ends with it, in the room's lock ----

  // Lists it, after expect_relations(). False if the server has ended.
  bool keep(owned_timer& one) noexcept {
    if (life_ == life::ended) {
      return false;
    }
    owned_timer*& first = related()->owned_timers;
    one.before_ = nullptr;
    one.next_ = first;
    if (first) {
      first->before_ = &one;
    }
    first = &one;
    return true;
  }

  void forget(owned_timer& one) noexcept {
    (one.before_ ? one.before_->next_ : related()->owned_timers) = one.next_;
    if (one.next_) {
      one.next_->before_ = one.before_;
    }
  }

  // ---- the life of a server ----

  // Registers who starts it, and returns it. Null if the starter's context is going, and the starter with it.
  template <class Request>
  Request* admit(unregistered<Request> starter) noexcept {
    starter->waits_for = static_cast<const process*>(this);
    turn* here = turn::current();
    if (here && here->is_in(context()) && here->is_in(starter->context())) {
      here->add_fresh(*starter);
      return &starter.release();
    }
    return register_wait(std::move(starter)).release();
  }

  // Starts the loop, whose first message is the admitted `starter`. Once, by whoever made the server,
  // inside the context or its gate. What comes by name before is handled after it.
  template <class Request>
  void launch(Request& starter, turn* here) noexcept {
    starter_ = &starter;
    loop_ready_ = true;
    if (starter.is_listed_fresh() && !here->has_place_for(*get_lane())) {
      here->settle_one(starter); // another thread may run it first
    }
    activate(here && here->is_in(context()) ? here : nullptr);
  }

  // Ends the server after the handler that runs now, which was given `message`.
  void stop_with(exit_reason reason, std::string_view message = {}, source_location where = {}) noexcept {
    if (!stopping_) {
      stopping_ = true;
      reason_ = std::move(reason);
      last_message_ = message;
      last_where_ = where;
    }
  }

  void cancel_job() { worker_->cancel(); }
  bool is_handlers_own(const asio::cancellation_slot& slot) const noexcept override {
    return worker_ && worker_->runs_with(slot);
  }
  bool is_starting() const noexcept { return life_ == life::starting; }

  // ---- open calls: accepted, not answered, their server half an otpp::caller's ----

  // A handler gets an otpp::caller for this slot.
  void open(reply_slot& slot) noexcept {
    std::lock_guard lock(context().mutex());
    link(open_calls_, slot);
    handed_out_ = &slot;
    slot.hand_out();
  }

  enum class held : std::uint8_t {
    by_nobody,   // the otpp::caller has answered: the slot may be gone
    by_loop,     // it was dropped: the server half is the loop's again
    by_somebody, // it is kept; if asked for, `won` has the decision
  };

  // The handler that got an otpp::caller has returned.
  held take_back(reply_slot& slot, bool answers, reply_slot::claim& won) noexcept {
    std::lock_guard lock(context().mutex());
    if (std::exchange(handed_out_, nullptr) == nullptr) {
      return held::by_nobody;
    }
    if (slot.is_orphan) {
      unlink(open_calls_, slot);
      slot.is_orphan = false;
      return held::by_loop;
    }
    if (answers) {
      won = slot.try_claim(); // under the lock: whoever keeps the other half needs it to let go
    }
    return held::by_somebody;
  }

  // An otpp::caller is about to answer.
  void close(reply_slot& slot) noexcept {
    std::lock_guard lock(context().mutex());
    if (slot.is_open) {
      unlink(open_calls_, slot);
    }
    if (handed_out_ == &slot) {
      handed_out_ = nullptr;
    }
  }

  // An otpp::caller is dropped. False if the server will answer: it is ending and says why, or the
  // handler that got the caller is still at work.
  bool close_unanswered(reply_slot& slot) noexcept {
    std::lock_guard lock(context().mutex());
    if (slot.is_open && (life_ == life::ending || handed_out_ == &slot)) {
      slot.is_orphan = true;
      return false;
    }
    if (slot.is_open) {
      unlink(open_calls_, slot);
    }
    return true;
  }

  // Answers the call when the server has ended, with what is in the slot or, unless `answered`, with
  // the reason. Takes the server half.
  void answer_at_end(reply_slot& slot, bool answered) noexcept {
    last_reply_ = &slot;
    last_reply_is_ready_ = answered;
  }

 protected:
  server_core(intrusive_ptr<lane> home, std::size_t mailbox_limit, std::unique_ptr<std::string> name);

  ~server_core() override; // both in loop.hpp

  // What the loop asks of the class that knows the types. Each may leave a job to the worker.
  virtual void run_continue(erased_message& message) noexcept = 0;
  virtual void run_info(erased_message& message) noexcept = 0;
  virtual void run_timeout() noexcept = 0;
  virtual void run_terminate(const exit_reason& reason) noexcept = 0;
  virtual void destroy_state() noexcept = 0;

  // Hands a coroutine handler to the worker; what it throws before it starts ends the server.
  void run_job(asio::awaitable<void> job) noexcept {
    try {
      if (!worker_) {
        worker_ = std::make_unique<worker>(*this);
      }
      frame_or_context_has_gone_.store(false, std::memory_order_relaxed);
      worker_->run(std::move(job));
    } catch (...) {
      stop_with(std::current_exception());
    }
  }

  void next(next_action action) noexcept { action_ = std::move(action); }
  void initialised() noexcept {
    life_ = life::running;
    was_running_ = true;
    has_run_ = true;
  }
  void terminate_failed(std::exception_ptr error) noexcept {
    reason_ = access::after(exit_reason(std::move(error)), reason_);
  }

  std::unique_ptr<worker> worker_;

 private:
  friend class pending_exit;
  class idle_timer;

  // What few servers have: once it is made, it is there until the core goes.
  struct relations {
    relation_end* relation_ends = nullptr; // under the room's lock
    owned_timer* owned_timers = nullptr;   // the same
    reply_slot* watchers = nullptr;        // the same, with the two below
    std::uint32_t watcher_count = 0;
    std::uint32_t watcher_limit = 16;
    std::uint64_t parent = 0;                   // written before it is launched
    receiver* body = nullptr;                   // by the process itself
    std::atomic<bool> supervises{false};        // others end with it
    std::atomic<pending_exit*> orders{nullptr}; // see take_exit()
  };
  pending_exit* newest_order() const noexcept {
    relations* mine = related();
    return mine && !killed_by_signal_ ? mine->orders.load(std::memory_order_acquire) : nullptr;
  }
  relations* related() const noexcept { return relations_.load(std::memory_order_acquire); }

  void run_loop() noexcept;
  void begin_to_end() noexcept;
  envelope* next_message() noexcept;
  void take(envelope& item) noexcept;
  bool step_observed() noexcept;
  void open_letter(envelope& item) noexcept;
  void act() noexcept;
  void finish() noexcept;
  void end_everything() noexcept;
  void end_owned_timers() noexcept;
  void tell_list(reply_slot*& list) noexcept;
  void notify_relations() noexcept;
  void apply_exit_signal(const pending_exit& order) noexcept;
  pending_exit* pending_order() const noexcept;
  void take_out(pending_exit& order) noexcept;
  void report(std::size_t dropped) noexcept;

  bool advance(turn& here) override {
    if (!loop_ready_ && !(awaits_message_ && mailbox_.has_message())) {
      return false;
    }
    loop_ready_ = false;
    awaits_message_ = false;
    turn_ = &here;
    run_loop();
    return true;
  }

  // A handler is waiting, or the server has ended, and this came all the same.
  void accept(envelope& item) noexcept override {
    if (mailbox_.is_closed()) {
      item.bounce(*this, reason_);
    } else if (receiver* body = receives_with()) {
      body->accept(item);
    } else {
      mailbox_.put_aside(item);
      if (awaits_resume_ && item.is_system) {
        awaits_resume_ = false;
        loop_ready_ = true;
      }
    }
  }

  void job_finished(std::exception_ptr error) noexcept override {
    assert(is_running_here());
    if (is_observed_) {
      end_handler();
    }
    if (error) {
      stop_with(std::move(error));
    }
    loop_ready_ = std::exchange(awaits_job_, false);
  }

  // By whoever had the frame, also while evict() runs on another thread.
  void worker_destroyed() noexcept override {
    if (frame_or_context_has_gone_.exchange(true, std::memory_order_acq_rel)) {
      destroy_state();
    }
  }

  void job_lost() noexcept override {
    stop_with(exit_reason::killed());
    loop_ready_ = std::exchange(awaits_job_, false);
    worker_.reset();
  }

  void evict() noexcept override;

  static bool is_refused(mailbox::result result) noexcept { return result == mailbox::result::closed; }

  // The server has ended, and `slot` is told so if that is what `won` says.
  void tell_end(reply_slot& slot, const reply_slot::claim& won) noexcept {
    if (won) {
      slot.write_end(reason_);
      slot.deliver(won);
    }
  }

  // Those who have given up, by a timeout or a cancellation, are let go of each time the list has
  // doubled: waiting again and again makes it no longer.
  void forget_decided_watchers(reply_slot*& given_up) noexcept {
    relations& mine = *related();
    if (mine.watcher_count < mine.watcher_limit) {
      return;
    }
    for (reply_slot* slot = mine.watchers; slot;) {
      reply_slot* next = slot->next_open;
      if (slot->decided()) {
        unlink(mine.watchers, *slot);
        slot->next_open = std::exchange(given_up, slot);
        --mine.watcher_count;
      }
      slot = next;
    }
    mine.watcher_limit = 2 * mine.watcher_count + 16;
  }

  static void link(reply_slot*& list, reply_slot& slot) noexcept {
    slot.is_open = true;
    slot.before_open = nullptr;
    slot.next_open = list;
    if (list) {
      list->before_open = &slot;
    }
    list = &slot;
  }

  static void unlink(reply_slot*& list, reply_slot& slot) noexcept {
    slot.is_open = false;
    (slot.before_open ? slot.before_open->next_open : list) = slot.next_open;
    if (slot.next_open) {
      slot.next_open->before_open = slot.before_open;
    }
  }

  bool unlist(relation_end& one) noexcept {
    if (!std::exchange(one.listed_, false)) {
      return false;
    }
    (one.before_ ? one.before_->next_ : related()->relation_ends) = one.next_;
    if (one.next_) {
      one.next_->before_ = one.before_;
    }
    return true;
  }

  // What every message needs stands together: a server that is called after many others is read from memory
  // line by line.
  turn* turn_ = nullptr;                 // while the loop runs
  envelope* starter_ = nullptr;          // until it is opened
  std::unique_ptr<erased_message> kept_; // while its handler runs
  next_action action_;
  std::unique_ptr<idle_timer> idle_;
  std::atomic<relations*> relations_{nullptr};
  bool stopping_ = false;
  bool loop_ready_ = false;     // to be called, whatever comes
  bool awaits_message_ = false; // to be called when there is one
  bool awaits_job_ = false;
  bool awaits_resume_ = false; // to be called when there is a message of the system's
  bool was_running_ = false;
  bool has_run_ = false;
  bool killed_by_signal_ = false; // an exit signal ends it, without terminate
  // A handler that waits refers to the state: when the context goes, the second of the two destroys it.
  std::atomic<bool> frame_or_context_has_gone_{false};
  bool last_reply_is_ready_ = false;
  std::atomic<bool> traps_exits_{false};
  // Under the room's lock; `running` is set without it, as nobody asks for that.
  std::atomic<life> life_{life::starting};
  bool names_freed_ = false; // under the room's lock, as are the three lists
  std::unique_ptr<name_registration> names_;
  reply_slot* open_calls_ = nullptr;
  reply_slot* handed_out_ = nullptr;

 protected:
  exit_reason reason_ = exit_reason::normal();

 private:
  std::string_view last_message_; // whose handler ended the server
  source_location last_where_;
  reply_slot* last_reply_ = nullptr;
  const std::unique_ptr<std::string> name_;
};

} // namespace otpp::detail
