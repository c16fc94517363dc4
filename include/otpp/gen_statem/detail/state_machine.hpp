// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/behavior_core.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/gen_statem/detail/actions.hpp>
#include <otpp/gen_statem/detail/event_queue.hpp>
#include <otpp/gen_statem/detail/handlers.hpp>
#include <otpp/gen_statem/detail/timeouts.hpp>
#include <otpp/gen_statem/states.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The steps of a state machine: what follows when a handler has decided.
//
// Between two events it is in a state, which only proceed() changes:
//
//   event:      its handler runs, and decides a step
//   decided:    the answer is given, and an event that is postponed is kept
//   proceed():  the state is the next one; if it changes or is repeated, and there is a handle_enter  -> entering
//   entering:   handle_enter runs, in a step of the loop of its own
//   settle():   the event timeout is cancelled; at a change the state timeout is, too, and the postponed events become
//               due; the timeouts of the step are set; the events that it inserts become due, before all others
//   then:       what is due, one event in a step of the loop; then the timeouts that are over; then the mailbox
//
// Only the server's own loop does any of it. To come back before it takes the next message of its mailbox, it leaves
// itself a message, as a handler does with `then`.
template <class Callbacks>
class state_machine : public behavior_core<Callbacks, typename Callbacks::state_type> {
  using behavior = behavior_core<Callbacks, typename Callbacks::state_type>;

 public:
  using behavior::state;

 protected:
  using behavior::callbacks_;
  using behavior::is_job_running;
  using behavior::next;
  using behavior::request_end;
  using behavior::run_job;
  using state_in_itself = state_in<Callbacks>;
  using step_type = step<state_in_itself>;

  using behavior::behavior;
  ~state_machine() override = default;

  // Calls visit(Number) for the state that the machine is in.
  template <class Visit>
  void in_its_state(Visit visit) {
    const std::size_t at = states_of<Callbacks>::number_of(state().state);
    [&]<std::size_t... Numbers>(std::index_sequence<Numbers...>) {
      static_cast<void>(
          ((at == Numbers && (visit(std::integral_constant<std::size_t, Numbers>()), true)) || ...));
    }(std::make_index_sequence<states_of<Callbacks>::size>());
  }

  static std::exception_ptr postponed_what_is_gone() {
    return std::make_exception_ptr(
        std::logic_error("otpp: a handler postponed a message that it had taken: a message that cannot be "
                         "copied is taken by const "
                         "reference, and one whose otpp::caller was kept has left the queue"));
  }

  // The handler has returned.
  void decide(step_type& its, std::string_view message, source_location where) noexcept {
    if (its.kind == step_kind::stop) {
      request_end(std::move(its.actions->reason), message, where);
    }
  }

  // Keeps an event that its handler has postponed.
  void postpone(envelope& item) noexcept {
    this->observed().keep_context(item);
    events_.postpone(item);
  }

  // What was decided is done. An event that was postponed is kept by now.
  void proceed(step_type& its) noexcept {
    if (its.kind == step_kind::stop) {
      return;
    }
    try {
      has_changed_ = its.kind == step_kind::next && !is_same_state(state().state, *its.next);
      actions_ = std::move(its.actions);
      if (has_changed_) {
        if constexpr (has_enter) {
          from_.emplace(std::move(state().state));
        }
        state().state = std::move(*its.next);
      }
      if (has_enter && (has_changed_ || its.kind == step_kind::repeat)) {
        is_entering_ = true;
        come_back();
      } else {
        settle();
      }
    } catch (...) {
      request_end(std::current_exception());
    }
  }

  // The same for a handler that keeps the state, and says no more.
  void settle_kept() noexcept {
    timeouts_.cancel_event_timeout();
    come_back_if_due();
  }

  void settle() {
    timeouts_.cancel_event_timeout();
    if (std::exchange(has_changed_, false)) {
      timeouts_.cancel(timeout_kind::of_state);
      events_.retry();
    }
    if (auto actions = std::move(actions_)) {
      for (timeout_request& one : actions->timeouts) {
        timeouts_.apply(one);
      }
      actions->events.for_each([this](envelope& item) { this->observed().keep_context(item); });
      events_.insert(actions->events);
    }
    come_back_if_due();
  }

  void come_back_if_due() noexcept {
    if (events_.is_due() || timeouts_.is_due()) [[unlikely]] {
      come_back();
    }
  }

  struct come_back_message {};

  // Has the loop call run_continue() before it looks into the mailbox.
  OTPP_NOINLINE void come_back() noexcept {
    try {
      next(next_action::proceed(come_back_message()));
    } catch (...) {
      request_end(std::current_exception());
    }
  }

  void run_continue(erased_message&) noexcept override {
    if (std::exchange(is_entering_, false)) {
      in_its_state([&]<std::size_t Number>(std::integral_constant<std::size_t, Number>) { enter<Number>(); });
    } else if (events_.is_due()) {
      envelope& item = events_.take();
      this->observed().goes_on_with(&item);
      item.open(*this);
      if (!is_job_running()) {
        come_back_if_due(); // also if it was news that has been taken back meanwhile, of which no handler hears
      }
    } else if (timeouts_.is_due()) {
      this->observed().goes_on_with(nullptr);
      timeouts_.take().open(*this);
    }
  }
  void run_info(erased_message&) noexcept override {} // an outcome's own; a machine has none
  void run_timeout() noexcept override {}

  // ---- handle_enter ----

  template <std::size_t... Numbers>
  static consteval bool finds_enter(std::index_sequence<Numbers...>) {
    return (is_entered<Callbacks, Numbers> || ...);
  }
  static constexpr bool has_enter = finds_enter(std::make_index_sequence<states_of<Callbacks>::size>());

  template <std::size_t Number>
  static constexpr bool has_own_enter = takes_enter<Callbacks, state_argument<Callbacks, Number>>;
  template <std::size_t Number>
  using entered_state =
      std::conditional_t<has_own_enter<Number>, state_argument<Callbacks, Number>, any_state<Callbacks>>;

  template <std::size_t Number>
  auto call_enter() {
    const state_in_itself& from = from_ ? *from_ : std::as_const(state().state);
    if constexpr (has_own_enter<Number>) {
      return callbacks_.handle_enter(
          from, states_of<Callbacks>::template at<Number>(state().state), state().data);
    } else {
      return callbacks_.handle_enter(from, any_state<Callbacks>(state().state), state().data);
    }
  }

  template <std::size_t Number>
  void enter() noexcept {
    try {
      if constexpr (!is_entered<Callbacks, Number>) {
        entered();
      } else {
        using returned = decltype(call_enter<Number>());
        if constexpr (!check_entry<Callbacks, returned, entered_state<Number>>()) {
          entered(); // not reached
        } else if constexpr (is_awaitable<returned>) {
          run_job(handler_coroutine::job_of<state_machine>::make(
              *this, 0, [this](int) { return call_enter<Number>(); },
              [this]<class... Result>(int, Result&&... result) { entered(std::move(result)...); },
              [this](int, std::exception_ptr error) { request_end(std::move(error), "handle_enter"); }));
        } else if constexpr (std::is_void_v<returned>) {
          call_enter<Number>();
          entered();
        } else {
          entered(call_enter<Number>());
        }
      }
    } catch (...) {
      request_end(std::current_exception(), "handle_enter");
    }
  }

  void entered() {
    from_.reset();
    settle();
  }
  void entered(typename Callbacks::entry result) {
    step_type& its = access::state(result);
    if (its.kind == step_kind::stop) {
      request_end(std::move(its.actions->reason), "handle_enter");
      return;
    }
    if (its.actions) {
      if (actions_) {
        for (timeout_request& one : its.actions->timeouts) {
          actions_->timeouts.push_back(std::move(one));
        }
      } else {
        actions_ = std::move(its.actions);
      }
    }
    entered();
  }

  // ---- the end ----

  bool has_postponed() const noexcept override { return events_.has_postponed(); }

  void destroy_state() noexcept override {
    timeouts_.stop();
    events_.leave_to(*this);
    actions_.reset();
    from_.reset();
    behavior::destroy_state();
  }

  bool is_entering_ = false; // handle_enter is called next
  bool has_changed_ = false; // until settle()
  timeouts timeouts_{*this};
  event_queue events_;
  std::unique_ptr<transition_actions> actions_; // of the step, until settle()
  std::optional<state_in_itself> from_;         // while the next state is entered
};

} // namespace otpp::detail

#pragma GCC visibility pop
