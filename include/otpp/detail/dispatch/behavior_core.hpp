// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/unanswered.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/object_place.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/sys/format_status.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The loop of server_core with a callbacks class and a state: what gen_server and the state machine do alike with them,
// which is how a server begins, how it ends, and what it says of itself.
template <class Callbacks, class State>
class behavior_core : public server_core {
  static_assert(check_callbacks<Callbacks>());
  static_assert(std::is_nothrow_destructible_v<State>, "otpp: the destructor of a state must not throw");

 public:
  using callbacks_type = Callbacks;

  State& state() noexcept { return state_.object(); }
  static State& state_of(server_core& core) noexcept { return static_cast<behavior_core&>(core).state(); }
  static Callbacks& callbacks_of(server_core& of) noexcept {
    return static_cast<behavior_core&>(of).callbacks_;
  }

  std::string show_state(bool or_type) override {
    return or_type || formats_status<Callbacks> ? detail::show_state(callbacks_, state()) : std::string();
  }
  const std::type_info& callbacks_type_info() const noexcept override { return typeid(Callbacks); }
  std::string_view type_name() const noexcept override { return detail::type_name<Callbacks>(); }

 protected:
  using server_core::server_core;
  ~behavior_core() override = default; // the class that is final calls destroy_state()

  // The handler waits for something: register its caller.
  void register_local_if_busy() noexcept {
    if (is_job_running()) {
      turn::current()->register_local(this);
    }
  }

  // ---- init has ended; the request of `start` is answered ----

  // The state is in its place.
  template <class Request>
  void started(unanswered<Request>& hold) noexcept {
    has_state_ = true;
    initialized();
    hold.release().answer(access::make<typename Request::ref_type>(intrusive_ptr<server_core>(this)));
  }

  // `terminate` is not called. The starter gets the error once the name is free again.
  template <class Request>
  void start_failed(unanswered<Request>& hold, std::exception_ptr why, bool is_clean = false) noexcept {
    hold->failure = is_to_end() ? nullptr : why;
    request_end(is_clean ? exit_reason::normal() : exit_reason(std::move(why)));
    answer_at_end(hold.release(), false);
  }

  // A clean reason is an error to the starter all the same.
  template <class Request>
  void start_stopped(unanswered<Request>& hold, const exit_reason& reason) {
    std::exception_ptr why = reason.exception();
    if (!why || reason.is_clean()) {
      why = make_error(errc::exited, "start", {}, describe(), reason);
    }
    start_failed(hold, std::move(why));
  }

  template <class Request>
  void start_ignored(unanswered<Request>& hold) {
    start_failed(hold, make_error(errc::ignored, "start", {}, describe()), true);
  }

  // ---- the end ----

  void run_terminate(const exit_reason& reason) noexcept override {
    if constexpr (terminates<Callbacks>) {
      using returned = decltype(callbacks_.terminate(reason, state()));
      try {
        if constexpr (is_awaitable<returned>) {
          run_job(handler_coroutine::job_of<behavior_core>::make(
              *this, reason, [this](const exit_reason& why) { return callbacks_.terminate(why, state()); },
              [](const exit_reason&) {},
              [this](const exit_reason&, std::exception_ptr error) { terminate_failed(std::move(error)); }));
        } else {
          callbacks_.terminate(reason, state());
        }
      } catch (...) {
        terminate_failed(std::current_exception());
      }
    }
  }

  void destroy_state() noexcept override {
    if (std::exchange(has_state_, false)) {
      state_.destroy(); // a coroutine may have kept a reference
    }
  }

  [[no_unique_address]] Callbacks callbacks_{};
  bool has_state_ = false;
  object_place<State> state_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
