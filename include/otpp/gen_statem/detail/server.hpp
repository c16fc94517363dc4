// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/dispatch/news.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/dispatch/unanswered.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/gen_statem/detail/actions.hpp>
#include <otpp/gen_statem/detail/call_event.hpp>
#include <otpp/gen_statem/detail/handlers.hpp>
#include <otpp/gen_statem/detail/state_machine.hpp>

#include <asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A server whose callbacks class is that of a state machine. It opens the messages, and runs the handlers of those that
// have no answer; call_event runs the others.
template <class Callbacks, class State>
  requires chooses_by_state<Callbacks>
class gen_server<Callbacks, State> final : public state_machine<Callbacks> {
  using machine = state_machine<Callbacks>;
  using machine::callbacks_;
  using machine::decide;
  using machine::postpone;
  using machine::proceed;
  using machine::register_local_if_busy;
  using machine::request_end;
  using machine::run_job;
  using machine::settle_kept;
  using machine::start_failed;
  using machine::state_;
  using typename machine::step_type;
  using verb = server_core::verb;

 public:
  using machine::state;

  gen_server(intrusive_ptr<lane> home, std::size_t mailbox_limit, std::unique_ptr<std::string> name)
      : machine(std::move(home), mailbox_limit, std::move(name)) {}

  ~gen_server() override { this->destroy_state(); }

  // ---- how envelopes open themselves ----

  template <class M>
  static void open_call(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    self.handles(&detail::type_name<M>);
    if constexpr (check_event<Callbacks, M>()) {
      self.in_its_state([&]<std::size_t Number>(std::integral_constant<std::size_t, Number>) {
        if constexpr (check_result<M, Number>()) {
          call_event<gen_server, M, Number>(self).handle(static_cast<call_request<M>&>(item));
        }
      });
    }
  }

  // A cast, an info, a timeout or an event of the machine's own.
  template <class M>
  static void open_event(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    self.handles(&detail::type_name<M>);
    if constexpr (check_event<Callbacks, M>()) {
      self.in_its_state([&]<std::size_t Number>(std::integral_constant<std::size_t, Number>) {
        if constexpr (check_result<M, Number>()) {
          self.template handle_plain<M, event_handler<Callbacks, M, Number>>(item);
        }
      });
    }
  }
  template <class M>
  static void open_cast(server_core& core, envelope& item) {
    open_event<M>(core, item);
  }
  template <class M>
  static void open_info(server_core& core, envelope& item) {
    open_event<M>(core, item);
  }

  // Runs `init`.
  template <class Request>
  static void open_start(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    auto& request = static_cast<Request&>(item);
    using returned = decltype(request.init(self.callbacks_));
    unanswered<Request> hold(self, request);
    try {
      if constexpr (is_awaitable<returned>) {
        self.run_job(self.await_init(hold));
      } else {
        self.begin(hold, request.init(self.callbacks_));
      }
    } catch (...) {
      self.start_failed(hold, std::current_exception());
    }
    if constexpr (is_awaitable<returned>) {
      self.register_local_if_busy();
    }
  }

  envelope::opener find_opener(verb kind, const std::type_info& type) const noexcept override {
    envelope::opener found = nullptr;
    auto look_at = [&]<class M>(std::type_identity<M>) {
      if constexpr (states_with_handler<Callbacks, M> != 0) {
        if constexpr (call_message<M>) {
          found = kind == verb::call && type == typeid(M) ? &open_call<M> : found;
        } else {
          found = kind != verb::call && type == typeid(M) ? &open_event<M> : found;
        }
      }
    };
    each_listed_by<Callbacks>(look_at);
    return kind == verb::info ? opener_of_news<gen_server>(type, found) : found;
  }

 private:
  template <class Server, class M, std::size_t Number>
  friend class call_event;

  template <class M, std::size_t Number>
  static consteval bool check_result() {
    using handler = event_handler<Callbacks, M, Number>;
    return check_event_result<Callbacks, M, handler::form, typename handler::returned>();
  }

  // ---- an event without an answer ----

  template <class M, class Handler>
  void handle_plain(envelope& item) {
    using returned = typename Handler::returned;
    envelope_ptr hold(&item);
    try {
      if constexpr (is_awaitable<returned>) {
        run_job(handler_coroutine::job_of<gen_server>::make(
            *this, std::move(hold),
            [this](envelope_ptr& mine) { return Handler::invoke(callbacks_, content_of<M>(mine), state()); },
            [this]<class... Result>(envelope_ptr& mine, Result&&... result) {
              this->template conclude_plain<Handler>(mine, std::move(result)...);
            },
            [this](envelope_ptr& mine, std::exception_ptr error) {
              request_end(std::move(error), mine->message_type(), mine->where());
            }));
      } else if constexpr (std::is_void_v<returned>) {
        Handler::invoke(callbacks_, content_of<M>(hold), state());
        conclude_plain<Handler>(hold);
      } else {
        conclude_plain<Handler>(hold, Handler::invoke(callbacks_, content_of<M>(hold), state()));
      }
    } catch (...) {
      request_end(std::current_exception(), detail::type_name<M>(), hold ? hold->where() : source_location());
    }
  }

  template <class M>
  static M& content_of(envelope_ptr& item) noexcept {
    return static_cast<message_envelope<M>&>(*item).content();
  }

  template <class Handler>
  void conclude_plain(envelope_ptr&) noexcept {
    settle_kept();
  }
  template <class Handler, class Result>
  void conclude_plain(envelope_ptr& item, Result&& result) {
    typename Callbacks::template transition<> decided(std::move(result));
    auto& its = access::state(decided);
    if (its.kind == step_kind::fail) {
      request_end(
          std::move(its.actions->error), item->message_type(), item->where()); // nobody else hears of it
      return;
    }
    decide(its, item->message_type(), item->where());
    if (its.is_postponed && its.kind != step_kind::stop) {
      if (!Handler::keeps_message) {
        request_end(machine::postponed_what_is_gone(), item->message_type(), item->where());
        return;
      }
      this->postpone(*item.release());
    }
    proceed(its);
  }

  // ---- init ----

  template <class Request>
  asio::awaitable<void> await_init(unanswered<Request>& hold) {
    using taken = taken_unanswered<Request>;
    return handler_coroutine::job_of<gen_server>::make(
        *this, taken(hold), [this](taken& mine) { return (*mine)->init(callbacks_); },
        [this]<class Result>(taken& mine, Result&& result) { begin(*mine, std::move(result)); },
        [this](taken& mine, std::exception_ptr error) { start_failed(*mine, std::move(error)); });
  }

  template <class Request, class Result>
  void begin(unanswered<Request>& hold, Result&& result) {
    using returned = std::remove_cvref_t<Result>;
    using initial = typename Callbacks::initial;
    static_assert(
        std::is_same_v<returned, State> || std::is_same_v<returned, initial>,
        "otpp: init of a gen_statem returns state_type, which is made from the first state and the data, or "
        "initial");
    if constexpr (std::is_same_v<returned, State>) {
      begin_in(hold, std::move(result), {});
    } else if constexpr (std::is_same_v<returned, initial>) {
      step_type& its = access::state(result);
      if (access::value(result)) {
        begin_in(hold, std::move(*access::value(result)), std::move(its.actions));
      } else if (its.kind == step_kind::stop) {
        this->start_stopped(hold, its.actions->reason);
      } else {
        this->start_ignored(hold);
      }
    }
  }

  template <class Request>
  void begin_in(unanswered<Request>& hold, State&& first, std::unique_ptr<transition_actions> actions) {
    if (!states_of<Callbacks>::contains(first.state)) {
      throw std::logic_error("otpp: init gives what is none of the machine's states");
    }
    ::new (state_.memory()) State(std::move(first));
    this->started(hold);
    step_type its;
    its.kind = step_kind::repeat; // its handle_enter is called, from the state itself
    its.actions = std::move(actions);
    proceed(its);
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
