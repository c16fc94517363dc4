// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/behavior_core.hpp>
#include <otpp/detail/dispatch/call_handler.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/news.hpp>
#include <otpp/detail/dispatch/overloads.hpp>
#include <otpp/detail/dispatch/unanswered.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>

#include <asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// True for the callbacks of a process that stands for one elsewhere, which has the messages (dist/detail/stand_in.hpp).
template <class Callbacks>
concept stands_for_another_process = requires { typename Callbacks::stands_for_another_process; };

// A server: the loop of server_core with a callbacks class and its state.
//
// Users start one with `otpp::start<Callbacks>(...)` and use it through a `server_ref`; they never create
// objects of this class. It finds the handler for each message, and is the only place that decides whether a
// handler is a plain function or a coroutine.
template <class Callbacks, class State = state_t<Callbacks>>
class gen_server final : public behavior_core<Callbacks, State> {
  using behavior = behavior_core<Callbacks, State>;
  using behavior::callbacks_;
  using behavior::next;
  using behavior::register_local_if_busy;
  using behavior::request_end;
  using behavior::run_job;
  using behavior::start_failed;
  using behavior::started;
  using verb = server_core::verb;

 public:
  gen_server(intrusive_ptr<lane> home, std::size_t mailbox_limit, std::unique_ptr<std::string> name)
      : behavior(std::move(home), mailbox_limit, std::move(name)) {
    if constexpr (stands_for_another_process<Callbacks>) {
      this->trap_exits(true); // from the first
    }
  }

  ~gen_server() override { this->destroy_state(); }

  // ---- how envelopes open themselves ----

  template <class M>
  static void open_call(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    self.handles(&detail::type_name<M>);
    call_handler<gen_server, M>(self).handle(static_cast<call_request<M>&>(item));
  }

  template <class M>
  static void open_cast(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    static_assert(check_handler<in_handle_cast, Callbacks, M>());
    using returned = decltype(self.callbacks_.handle_cast(std::declval<M>(), self.state()));
    self.template handle_plain<M, returned>(item, [](Callbacks& callbacks, M&& content, State& state) {
      return callbacks.handle_cast(std::move(content), state);
    });
  }

  template <class M>
  static void open_info(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    static_assert(check_handler<in_handle_info, Callbacks, M>());
    using returned = decltype(self.callbacks_.handle_info(std::declval<M>(), self.state()));
    self.template handle_plain<M, returned>(item, [](Callbacks& callbacks, M&& content, State& state) {
      return callbacks.handle_info(std::move(content), state);
    });
  }

  // Runs `init`. The request is a start_request, which holds the arguments.
  template <class Request>
  static void open_start(server_core& core, envelope& item) {
    auto& self = static_cast<gen_server&>(core);
    auto& request = static_cast<Request&>(item);
    using returned = decltype(request.init(self.callbacks_));
    if constexpr (is_awaitable<returned>) {
      unanswered<Request> hold(self, request);
      try {
        self.run_job(self.await_init(hold));
      } catch (...) {
        self.start_failed(hold, std::current_exception()); // no memory for its frame
      }
      self.register_local_if_busy();
    } else {
      unanswered<Request> hold(self, request);
      try {
        if constexpr (is_init_result<returned>) {
          self.begin(hold, request.init(self.callbacks_));
        } else {
          ::new (self.state_.memory()) State(request.init(self.callbacks_)); // in place: it is never moved
          self.started(hold);
        }
      } catch (...) {
        self.start_failed(hold, std::current_exception());
      }
    }
  }

  void tell_elsewhere(server_core::deed what, process* by, const exit_reason* reason) override {
    if constexpr (stands_for_another_process<Callbacks>) {
      callbacks_.tell_elsewhere(*this, what, by, reason);
    }
  }
  bool stands_for_another() const noexcept override { return stands_for_another_process<Callbacks>; }

  // A process that is one coroutine takes its messages itself (spawn.hpp).
  static void open_never(server_core&, envelope& item) { item.discard_message(); }

  envelope::opener find_opener(verb kind, const std::type_info& type) const noexcept override {
    envelope::opener found = nullptr;
    each_listed_by<Callbacks>([&]<class M>(std::type_identity<M>) {
      if (typeid(M) != type) {
        return;
      }
      if constexpr (handles_call<Callbacks, M>) {
        found = kind == verb::call ? &open_call<M> : found;
      }
      // A class may list a message for one verb, and have a handler of a base class for another.
      if constexpr (handles_cast<Callbacks, M> && !is_sliced<in_handle_cast, Callbacks, M>()) {
        found = kind == verb::cast ? &open_cast<M> : found;
      }
      if constexpr (handles_info<Callbacks, M> && !is_sliced<in_handle_info, Callbacks, M>()) {
        found = kind == verb::info ? &open_info<M> : found;
      }
    });
    if (kind == verb::info) {
      found = opener_of_news<gen_server>(type, found);
      if constexpr (requires { typename Callbacks::takes_any_message; }) {
        found = &open_never;
      }
    }
    if constexpr (stands_for_another_process<Callbacks>) {
      found = found ? found : Callbacks::find_opener(kind, type);
    }
    return found;
  }

 private:
  template <class Server, class M>
  friend class call_handler;

  // ---- cast, info, continue ----

  template <class M, class Returned, class Invoke>
  void handle_plain(envelope& item, Invoke invoke) {
    static_assert(check_plain_result<Returned>());
    this->handles(&detail::type_name<M>);
    envelope_ptr hold(&item);
    auto& plain = static_cast<message_envelope<M>&>(item);
    if constexpr (is_awaitable<Returned>) {
      try {
        run_job(handler_coroutine::job_of<gen_server>::make(
            *this, std::move(hold),
            [this, invoke](envelope_ptr& mine) {
              return invoke(
                  callbacks_, std::move(static_cast<message_envelope<M>&>(*mine).content()), this->state());
            },
            [this]<class... Result>(envelope_ptr& mine, Result&&... result) {
              this->go_on(std::move(result)..., mine->message_type(), mine->where());
            },
            [this](envelope_ptr& mine, std::exception_ptr error) {
              request_end(std::move(error), mine->message_type(), mine->where());
            }));
      } catch (...) {
        request_end(std::current_exception(), detail::type_name<M>());
      }
    } else {
      try {
        if constexpr (std::is_void_v<Returned>) {
          invoke(callbacks_, std::move(plain.content()), this->state());
        } else {
          go_on(
              invoke(callbacks_, std::move(plain.content()), this->state()), item.message_type(),
              item.where());
        }
      } catch (...) {
        request_end(std::current_exception(), item.message_type(), item.where());
      }
    }
  }

  // A message that the server has sent to itself; the loop stores it while its handler runs.
  template <class M, class Invoke>
  void handle_own(M& content, Invoke invoke) noexcept {
    using returned = decltype(invoke(callbacks_, std::move(content), this->state()));
    static_assert(check_plain_result<returned>());
    this->handles(&detail::type_name<M>);
    try {
      if constexpr (is_awaitable<returned>) {
        run_job(handler_coroutine::job_of<gen_server>::make(
            *this, std::addressof(content),
            [this, invoke](M* mine) { return invoke(callbacks_, std::move(*mine), this->state()); },
            [this]<class... Result>(M*, Result&&... result) {
              this->go_on(std::move(result)..., detail::type_name<M>(), source_location());
            },
            [this](M*, std::exception_ptr error) { request_end(std::move(error), detail::type_name<M>()); }));
      } else if constexpr (std::is_void_v<returned>) {
        invoke(callbacks_, std::move(content), this->state());
      } else {
        go_on(invoke(callbacks_, std::move(content), this->state()), detail::type_name<M>(), {});
      }
    } catch (...) {
      request_end(std::current_exception(), detail::type_name<M>());
    }
  }

  void go_on(outcome<> result, std::string_view message, source_location where) noexcept {
    next(std::move(access::action(result)));
    if (access::kind(result) == outcome_kind::stop) {
      request_end(std::move(access::reason(result)), message, where);
    } else if (access::kind(result) == outcome_kind::fail) {
      request_end(std::move(access::error(result)), message, where); // a cast has no caller to tell
    }
  }
  void go_on(std::string_view, source_location) noexcept {} // a handler of void
  template <class Other>
  void go_on(Other&&, std::string_view, source_location) noexcept {
  } // no_reply, or check_plain_result() has reported it

  // An outcome does not know the server whose handler returns it, nor does the server know what an outcome carries, so
  // that the message meets its handler at run time: among the types for which there is an overload.
  template <class Handler>
  void run_own(erased_message& message) noexcept {
    bool found = false;
    auto run = [&]<class M>(std::type_identity<M>) {
      if constexpr (Handler::template takes<M> && !is_sliced<typename Handler::where, Callbacks, M>()) {
        static_assert(check_handler<typename Handler::where, Callbacks, M>());
        if (!found && message.type() == typeid(M)) {
          found = true;
          handle_own(*static_cast<M*>(message.get()), [](Callbacks& callbacks, M&& content, State& state) {
            return Handler::invoke(callbacks, std::move(content), state);
          });
        }
      }
    };
    each_taken<Handler, Callbacks>(run);
    if (!found) {
      refuse_own(Handler::name, message.name());
    }
  }

  void run_continue(erased_message& message) noexcept override {
    run_own<continue_handler<Callbacks>>(message);
  }

  void run_info(erased_message& message) noexcept override { run_own<info_handler<Callbacks>>(message); }

  void run_timeout() noexcept override {
    if constexpr (handles_info<Callbacks, timeout>) {
      static_assert(check_state_parameter<in_handle_info, Callbacks, timeout>());
      handle_own(timeout_message_, [](Callbacks& callbacks, timeout&& m, State& state) {
        return callbacks.handle_info(std::move(m), state);
      });
    } else {
      refuse_own("handle_info", "otpp::timeout");
    }
  }

  // A handler left a message for its own server, which has no handler for it.
  void refuse_own(std::string_view handler, std::string_view message) noexcept {
    request_end(exit_reason(make_error(errc::bad_message, handler, message, this->describe())));
  }

  // ---- init ----

  template <class Request>
  asio::awaitable<void> await_init(unanswered<Request>& hold) {
    using taken = taken_unanswered<Request>;
    return handler_coroutine::job_of<gen_server>::make(
        *this, taken(hold), [this](taken& mine) { return (*mine)->init(callbacks_); },
        [this]<class Result>(taken& mine, Result&& result) {
          if constexpr (is_init_result<Result>) {
            begin(*mine, std::move(result));
          } else {
            ::new (this->state_.memory()) State(std::move(result));
            this->started(*mine); // g++ 12 does not find it otherwise in a lambda that is a template
          }
        },
        [this](taken& mine, std::exception_ptr error) { start_failed(*mine, std::move(error)); });
  }

  template <class Request>
  void begin(unanswered<Request>& hold, init_result<State> result) {
    switch (access::kind(result)) {
      case outcome_kind::value:
        ::new (this->state_.memory()) State(std::move(*access::state(result)));
        next(std::move(access::action(result)));
        started(hold);
        return;
      case outcome_kind::ignore: this->start_ignored(hold); return;
      default: this->start_stopped(hold, access::reason(result)); return;
    }
  }

  [[no_unique_address]] timeout timeout_message_{};
};

} // namespace otpp::detail

#pragma GCC visibility pop
