// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/admission.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/name_registrations.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/open_calls.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/overflow.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class handler_coroutine;
class idle_timer;
class pending_exit;
class relations;

// A server without its types, as references and registries point to it.
//
// Only the loop advances its life (or, when the context is destroyed, on_context_destroyed()):
//
//   starting -> running (-> cancelling) -> ending -> closing -> ended      init failed: starting -> ending -> ...
//
// It is cancelling while coroutines of otpp::co_spawn end before `terminate`, ending while that runs, and closing once its
// names are free; the mailbox accepts messages until then. The end has one fixed order: see end.hpp. Other threads access the mailbox, which
// synchronizes itself, and the registrations, open calls and relations, which the context's lock guards.
// Everything else belongs to the loop, on the server's serial executor.
//
// The bodies of its loop are in loop.hpp, with what needs the optional parts; those of its end in end.hpp.
class server_core : public process {
 public:
  enum class life : std::uint8_t { starting, running, cancelling, ending, closing, ended };
  enum class verb : std::uint8_t { call, cast, info };
  using held = open_calls::held;

  // ---- for senders: any thread ----

  // Puts an envelope into the mailbox. Unless the result is taken or waiting, the caller still owns it.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  mailbox::result send(envelope& item) noexcept {
    if (Push != &mailbox::push_library_message && Push != &mailbox::push_ahead && is_tracing()) [[unlikely]] {
      trace_sent(item);
    }
    turn* here = turn::current();
    if (here && here->is_in(context())) {
      return send_in_turn<Push>(item, *here);
    }
    // The server may be destroyed after this: the message may have held the last reference.
    if (context_state& gate = context(); gate.enter()) {
      mailbox::result result = send_inside<Push>(item, nullptr);
      gate.leave();
      return result;
    }
    return mailbox::result::closed;
  }

  // Registers a call with its caller's context, and puts it into the mailbox.
  template <class Request>
  OTPP_INLINE void send_call(unregistered<Request>&& request) noexcept {
    if (is_tracing()) [[unlikely]] {
      trace_sent(*request);
    }
    request->waits_for = static_cast<const process*>(this); // register_local() compares it with this type
    turn* here = turn::current();
    if (!here || !here->is_in(context()) || !here->is_in(request->context()) || !send_local(request, *here)) {
      send_registered<&mailbox::push>(std::move(request));
    }
  }

  // Registers an operation and puts its message into the mailbox, in one step: if the timeout could expire
  // between the two, the caller's next message could overtake this one.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept, class Request>
  void send_registered(unregistered<Request> request) noexcept {
    Request& one = request.release();
    send_slot<Push>(one, one);
  }
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  void send_slot(envelope& item, reply_slot& slot) noexcept {
    // Once it is sent, only the guards keep the request, its caller's context and this server alive.
    mailbox::result result = mailbox::result::closed;
    bool is_registered = false;
    {
      context_guard there(context());
      turn::access mine(there.here());
      {
        context_guard home(slot.context());
        is_registered = home.register_and(
            slot, [&]() noexcept { result = there ? push_inside<Push>(item, there.here()) : result; });
      }
      result = is_registered ? wake_if_due(result, there.here()) : result;
    }
    if (!is_registered) {
      slot.end_unregistered();
    } else if (result >= mailbox::result::full && !find_room(item, result)) {
      slot.fail(admission::error_of(result));
    }
  }

  // Sends again what was not taken (`result` says why), if the mailbox is to make room for it. Returns true if it is taken
  // now. Calls code of the user's: no lock may be held.
  bool find_room(envelope& item, mailbox::result& result) noexcept;

  void trace_sent(envelope& item) noexcept; // before it is sent, while somebody traces every process
  // Takes back what this sender has waiting for room; returns null if it is too late.
  envelope* withdraw(const void* sender) noexcept { return mailbox_.withdraw(sender); }

  // ---- relations (relations.hpp): any thread, unless stated otherwise ----

  // Returns the relations, or null if they have not been created (relations::of()).
  relations* related() const noexcept { return relations_.load(std::memory_order_acquire); }

  void break_off(const exit_reason& reason) noexcept; // by the process: tells others of its end, and goes on
  // Precondition: the process has ended.
  const exit_reason& end_reason() const noexcept { return reason_; }

  // By the process itself.
  void trap_exits(bool on) noexcept { traps_exits_.store(on, std::memory_order_relaxed); }
  bool traps_exits() const noexcept { return traps_exits_.load(std::memory_order_relaxed); }

  // Has `init` ever succeeded? Does a crash report tell of the end? By the process itself, or after its end.
  bool has_run() const noexcept { return has_run_; }
  bool is_reported() const noexcept;

  // Returns true while an exit signal may end it, or has. Called by the process itself.
  bool killed_by_signal() const noexcept { return cause_ == end_cause::exit_signal; }
  bool is_to_end() const noexcept { return cause_ != end_cause::none; }
  bool follows_exit_signals() const noexcept { return cause_ < end_cause::exit_signal; }

  // Ends the process by a valid exit signal. Called by the process itself.
  void apply_exit_signal(const pending_exit& signal) noexcept;

  // ---- the process itself ----

  // The observation of this process. Any thread may call its current_message().
  observation& observed() noexcept { return observation_; }
  const observation& observed() const noexcept { return observation_; }

  void count_messages(bool on) { mailbox_.count(on); }

  // Returns the state as text, in the form that the callbacks class chooses; else its type, or nothing.
  virtual std::string show_state(bool or_type) = 0;

  // For a receiver, which takes out the first message that matches, and for who asks how much is queued.
  mailbox& queue() noexcept { return mailbox_; }

  // ---- types and names ----

  virtual const std::type_info& callbacks_type_info() const noexcept = 0;
  std::string_view type_name() const noexcept override = 0;

  // Returns how to open a message that is on the server's list, or null.
  virtual envelope::opener find_opener(verb kind, const std::type_info& message) const noexcept = 0;

  std::string describe() const override {
    return name_ ? '"' + *name_ + '"' : std::string(type_name()) + "#" + std::to_string(id());
  }

  // Keeps a name until the end. Returns false, and does not take it, if the names are already free.
  bool hold_name(std::unique_ptr<name_registration>& name) {
    std::lock_guard lock(context().mutex());
    if (life_ >= life::closing) {
      return false;
    }
    registered_.add(std::move(name));
    return true;
  }

  // Gives back a name before the end.
  template <class Matches>
  std::unique_ptr<name_registration> release_name(Matches matches) noexcept {
    std::lock_guard lock(context().mutex());
    return registered_.take(std::move(matches));
  }

  // Copies the name at a position in its list into `text`. Returns false if there are fewer.
  template <class Text>
  bool copy_name(std::size_t place, Text& text) const noexcept {
    std::lock_guard lock(context().mutex());
    return registered_.copy(place, text);
  }

  // ---- the life of a server ----

  // Registers the operation that starts the server. Null if its context is being destroyed: then it is the caller's.
  template <class Request>
  Request* admit(unregistered<Request>& starter) noexcept;

  // Starts the loop, whose first message is the registered `starter`. Called once, by the thread that made
  // the server, inside the context or its gate. Messages sent to the name earlier are handled after it.
  template <class Request>
  void launch(Request& starter, turn* here) noexcept;

  // Ends the server after the running handler, which was given `message`.
  void request_end(exit_reason reason, std::string_view message = {}, source_location where = {}) noexcept {
    if (cause_ == end_cause::none) {
      cause_ = end_cause::stopped;
      reason_ = std::move(reason);
      last_message_ = message;
      last_where_ = where;
    }
  }

  void expect_blocking() noexcept { may_block_ = true; } // before it is launched, like the next
  void arrange_mailbox(overflow when_full, bool skips_abandoned, mailbox::priority has_priority);
  void look_beside() noexcept; // a message is beside the queue of the mailbox
  void hand_out_if_it_blocks() noexcept;
  void cancel_job(); // the handler that waits, if one does
  bool is_handlers_own(const asio::cancellation_slot& slot, bool is_in_step) const noexcept override;
  bool is_starting() const noexcept { return life_ == life::starting; }

  // ---- open calls (open_calls.hpp): any thread ----

  void open(reply_slot& slot) noexcept {
    std::lock_guard lock(context().mutex());
    calls_.open(slot);
  }

  held take_back(reply_slot& slot, bool answers, reply_slot::claim& won) noexcept {
    std::lock_guard lock(context().mutex());
    return calls_.take_back(slot, answers, won);
  }

  void close(reply_slot& slot) noexcept;
  bool close_unanswered(reply_slot& slot) noexcept;

  // Answers the call at the end: the slot's if `answered`, else the reason. Takes over the server half.
  void answer_at_end(reply_slot& slot, bool answered) noexcept {
    last_reply_ = &slot;
    last_reply_is_ready_ = answered;
  }

 protected:
  server_core(intrusive_ptr<lane> home, std::size_t mailbox_limit, std::unique_ptr<std::string> name);
  ~server_core() override;

  // What the loop needs from the class that knows the types. Each may pass a job to the handler coroutine.
  virtual void run_continue(erased_message& message) noexcept = 0;
  virtual void run_info(erased_message& message) noexcept = 0;
  virtual void run_timeout() noexcept = 0;
  virtual void run_terminate(const exit_reason& reason) noexcept = 0;
  virtual void destroy_state() noexcept = 0;
  virtual bool has_postponed() const noexcept { return false; } // messages, which it handles later

  // Passes a coroutine handler to the handler coroutine. If it throws before it starts, the server ends.
  void run_job(asio::awaitable<void> job) noexcept;

  // Returns true if a handler waits.
  bool is_job_running() const noexcept;

  // Called when the handler of a message of this type starts.
  void handles(type_namer type) noexcept { observation_.handles(type); }

  // Called when the handler has answered a call of this type.
  void replies(type_namer type) noexcept {
    if (observation_.is_on()) {
      observation_.replied(*this, type);
    }
  }

  void next(next_action action) noexcept { action_ = std::move(action); }
  void initialized() noexcept {
    life_ = life::running;
    has_run_ = true;
  }
  void terminate_failed(std::exception_ptr error) noexcept;

 private:
  friend class drain_plan;
  friend class handler_coroutine;
  friend class idle_timer;
  friend class owned_coroutine;
  friend class relations;

  // What advance() waits for. If nothing, the process runs or has ended.
  enum class waits_for : std::uint8_t { nothing, turn, message, handler, system_message, coroutines, tasks };

  // Why the process is to end. Its value only increases.
  enum class end_cause : std::uint8_t { none, stopped, exit_signal, context_destroyed };

  bool advance(turn& here) override {
    if (waits_for_ != waits_for::turn && (waits_for_ != waits_for::message || !mailbox_.has_message())) {
      if (waits_for_ == waits_for::handler) {
        count_as_work();
      }
      return false;
    }
    waits_for_ = waits_for::nothing;
    turn_ = &here;
    run_loop();
    return true;
  }

  void accept(envelope& item) noexcept override;

  // ---- the loop: loop.hpp; the end: end.hpp ----

  void run_loop() noexcept;
  envelope* next_message() noexcept;
  envelope* next_carefully() noexcept;
  envelope* next_beside() noexcept;
  void take_what_goes_ahead(relations& its) noexcept;
  void follow_orders(relations& its) noexcept;
  bool is_drained(const relations& its) noexcept;
  void look_again() noexcept;
  void look_if_it_drains() const noexcept;
  void take(envelope& item) noexcept;
  bool step_observed() noexcept;
  void open_message(envelope& item) noexcept;
  bool is_for_callbacks(const envelope& item) const noexcept;
  void act() noexcept;
  void count_as_work() noexcept; // the handler, which waits
  void wake_to_end() noexcept;
  void begin_end() noexcept;
  void end() noexcept;
  void end_without_state() noexcept;
  void keep_shown_state() noexcept;
  void report(std::size_t dropped) noexcept;
  void drop_late(envelope& item) noexcept;
  void tell_list(intrusive_list<reply_slot>& list) noexcept;
  void answer_last() noexcept;
  void on_context_destroyed() noexcept override { end_at_once(exit_reason::killed()); }
  void on_executor_refused() noexcept override;
  void end_at_once(exit_reason reason) noexcept;
  void discard_late() noexcept;

  // ---- for the handler coroutine, inside a step ----

  // Called when the job has returned or thrown.
  void job_finished(std::exception_ptr error) noexcept;

  // Called when the operation that the job awaited was destroyed, so that the handler coroutine cannot be
  // used any more. Not called if the context is being destroyed.
  void job_lost() noexcept;

  // The coroutines that end with the server (owned_coroutine.hpp), and the state to which they refer.
  bool end_coroutines() noexcept;
  void desert_state() noexcept;
  void leave_state() noexcept;

  // Tells `slot` that the server has ended, provided that `won` holds the claim.
  void tell_end(reply_slot& slot, const reply_slot::claim& won) noexcept;

  // Members used for every message come first, so that a cold server costs few cache lines.
  observation observation_;
  turn* turn_ = nullptr;                 // while the loop runs
  envelope* starter_ = nullptr;          // until it is opened
  std::unique_ptr<erased_message> kept_; // while its handler runs
  next_action action_;
  std::unique_ptr<idle_timer> idle_;
  std::unique_ptr<handler_coroutine> coroutine_; // changed under the context's lock
  std::atomic<relations*> relations_{nullptr};
  bool may_block_ : 1 = false; // options::may_block; a bit, as with one byte more each server would be larger
  bool skips_abandoned_ : 1 = false; // options::skip_abandoned
  waits_for waits_for_ = waits_for::nothing;
  end_cause cause_ = end_cause::none;
  // Guarded by the context's lock; `running` is set without it, because no other thread checks for that.
  std::atomic<life> life_{life::starting};
  bool has_run_ = false;
  std::atomic<bool> traps_exits_{false};
  bool last_reply_is_ready_ = false; // last_reply_ holds the answer
  bool refuses_coroutines_ = false;  // it has begun to end them
  name_registrations registered_;    // guarded by the context's lock, like calls_
  open_calls calls_;
  exit_reason reason_ = exit_reason::normal();
  std::string_view last_message_; // the message whose handler ended the server
  source_location last_where_;
  std::unique_ptr<const std::string> shown_state_; // for the crash report
  reply_slot* last_reply_ = nullptr;               // the call that is answered at the end
  const std::unique_ptr<std::string> name_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
