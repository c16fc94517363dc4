// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/unanswered.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_statem/detail/actions.hpp>
#include <otpp/gen_statem/detail/handlers.hpp>
#include <otpp/message.hpp>

#include <asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Handles a call of one type in one state: runs handle_event, and does what its result says. A view of the server, passed
// by value. What call_handler is for other servers.
template <class Server, class M, std::size_t Number>
class call_event {
  using callbacks = typename Server::callbacks_type;
  using request = call_request<M>;
  using reply = reply_t<M>;
  using handler = event_handler<callbacks, M, Number>;
  using returned = typename handler::returned;
  using answering = typename callbacks::template transition<reply>;
  static constexpr bool can_put_back = handler::keeps_message && std::is_nothrow_move_constructible_v<M>;

 public:
  explicit call_event(Server& server) noexcept : server_(&server) {}

  void handle(request& one) const {
    unanswered<request> hold(*server_, one);
    if constexpr (handler::form == handler_form::with_caller) {
      handle_with_caller(hold);
    } else {
      handle_alone(hold);
    }
  }

 private:
  // ---- without an otpp::caller ----

  void handle_alone(unanswered<request>& hold) const {
    try {
      if constexpr (is_awaitable<returned>) {
        server_->run_job(await_alone(hold));
      } else if constexpr (std::is_void_v<returned>) {
        handler::invoke(server_->callbacks_, hold->content(), server_->state());
        conclude(hold);
      } else {
        conclude(hold, handler::invoke(server_->callbacks_, hold->content(), server_->state()));
      }
    } catch (...) {
      crash(hold, std::current_exception());
    }
    if constexpr (is_awaitable<returned>) {
      server_->register_local_if_busy();
    }
  }

  asio::awaitable<void> await_alone(unanswered<request>& hold) const {
    using taken = taken_unanswered<request>;
    return handler_coroutine::job_of<call_event>::make(
        *server_, taken(hold),
        [server = server_](taken& mine) {
          return handler::invoke(server->callbacks_, (*mine)->content(), server->state());
        },
        [self = *this]<class... Result>(taken& mine, Result&&... result) {
          self.conclude(*mine, std::move(result)...);
        },
        [self = *this](taken& mine, std::exception_ptr error) { self.crash(*mine, std::move(error)); });
  }

  void conclude(unanswered<request>& hold) const noexcept {
    answer(hold);
    server_->settle_kept();
  }
  template <class Result>
  void conclude(unanswered<request>& hold, Result&& result) const {
    if constexpr (std::is_convertible_v<Result, reply> && !is_transition<std::remove_cvref_t<Result>>) {
      answer(hold, std::forward<Result>(result));
      server_->settle_kept();
    } else {
      answering decided(std::forward<Result>(result));
      conclude_decided(hold, access::state(decided), access::value(decided));
    }
  }

  // Precondition: the loop has the call.
  template <class Value>
  void conclude_decided(unanswered<request>& hold, step<state_in<callbacks>>& its, Value& value) const {
    if (its.kind == step_kind::stop) {
      if constexpr (!std::is_void_v<reply>) {
        if (value) {
          hold->prepare(std::move(*value));
        }
      }
      server_->decide(its, hold->message_type(), hold->where());
      server_->answer_at_end(hold.release(), value.has_value());
      return;
    }
    if (its.is_postponed) {
      if (!(handler::form == handler_form::alone ? handler::keeps_message : can_put_back)) {
        crash(hold, Server::postponed_what_is_gone());
        return;
      }
      turn::current()->register_local(server_); // any thread may end it from now on
      server_->postpone(hold.release());
    } else if (its.kind == step_kind::fail) {
      server_->replies(&detail::type_name<M>);
      hold.release().fail(std::move(its.actions->error));
    } else if constexpr (std::is_void_v<reply>) {
      answer(hold);
    } else if (value) {
      answer(hold, std::move(*value));
    } else {
      hold.release().fail(errc::no_reply); // the handler has dropped its otpp::caller
    }
    server_->proceed(its);
  }

  template <class... Value>
  void answer(unanswered<request>& hold, Value&&... value) const noexcept {
    server_->replies(&detail::type_name<M>);
    hold.release().answer(std::forward<Value>(value)...);
  }

  // The handler threw: the server ends, and this caller gets the reason afterwards.
  void crash(unanswered<request>& hold, std::exception_ptr error) const noexcept {
    server_->request_end(std::move(error), hold->message_type(), hold->where());
    server_->answer_at_end(hold.release(), false);
  }

  // ---- with an otpp::caller ----

  // What the handler has, or gives back. The request may be destroyed as soon as the otpp::caller has answered.
  struct handed_out {
    caller<reply> from;
    std::unique_ptr<M> content;
    request* one;
    std::string_view type;
    source_location where;
  };

  void handle_with_caller(unanswered<request>& hold) const {
    std::unique_ptr<M> content;
    try {
      content = std::make_unique<M>(std::move(hold->content()));
    } catch (...) {
      crash(hold, std::current_exception());
      return;
    }
    request& one = hold.release();
    turn::current()->register_local(server_); // the otpp::caller may be passed to any thread
    server_->open(one);
    handed_out mine{
        access::make<caller<reply>>(one), std::move(content), &one, one.message_type(), one.where()};
    std::string_view type = mine.type;
    source_location where = mine.where;
    try {
      if constexpr (is_awaitable<returned>) {
        server_->run_job(await_with_caller(std::move(mine)));
      } else if constexpr (std::is_void_v<returned>) {
        handler::invoke(server_->callbacks_, *mine.content, server_->state(), std::move(mine.from));
        finish(mine, callbacks::keep_state());
      } else {
        // Two statements: GCC destroys the handler's otpp::caller at the end of the full expression.
        auto result =
            handler::invoke(server_->callbacks_, *mine.content, server_->state(), std::move(mine.from));
        finish(mine, std::move(result));
      }
    } catch (...) {
      server_->request_end(std::current_exception(), type, where);
    }
  }

  asio::awaitable<void> await_with_caller(handed_out mine) const {
    return handler_coroutine::job_of<call_event>::make(
        *server_, std::move(mine),
        [server = server_](handed_out& its) {
          return handler::invoke(server->callbacks_, *its.content, server->state(), std::move(its.from));
        },
        [self = *this]<class... Result>(handed_out& its, Result&&... result) {
          if constexpr (sizeof...(Result) == 0) {
            self.finish(its, callbacks::keep_state());
          } else {
            self.finish(its, std::move(result)...);
          }
        },
        [server = server_](handed_out& its, std::exception_ptr why) {
          server->request_end(std::move(why), its.type, its.where);
        });
  }

  // The handler has returned. Its otpp::caller may have answered, be stored, or have been dropped.
  template <class Result>
  void finish(handed_out& mine, Result&& result) const {
    using taken = std::conditional_t<
        std::is_convertible_v<Result, typename callbacks::template transition<>>,
        typename callbacks::template transition<>, answering>;
    taken decided(std::forward<Result>(result));
    auto& its = access::state(decided);
    auto& value = access::value(decided);
    constexpr bool may_answer = std::is_same_v<taken, answering> && !std::is_void_v<reply>;
    bool answers = (may_answer && value.has_value()) || its.kind == step_kind::fail;
    reply_slot::claim won;
    switch (server_->take_back(*mine.one, answers, won)) {
      case server_core::held::by_loop: {
        unanswered<request> hold(*server_, *mine.one);
        if constexpr (can_put_back) {
          std::destroy_at(std::addressof(hold->content()));
          std::construct_at(std::addressof(hold->content()), std::move(*mine.content));
        }
        std::optional<answer_or_none<reply>> given;
        if constexpr (may_answer) {
          given = std::move(value);
        }
        if (std::is_void_v<reply> && its.kind != step_kind::stop && its.kind != step_kind::fail &&
            !its.is_postponed) {
          hold.release().fail(errc::no_reply);
          server_->proceed(its);
        } else {
          conclude_decided(hold, its, given);
        }
        return;
      }
      case server_core::held::by_somebody:
        if (won) {
          if (its.kind == step_kind::fail) {
            mine.one->write_error(std::move(its.actions->error));
          } else if constexpr (may_answer) {
            mine.one->emplace(std::move(*value));
          }
          server_->replies(&detail::type_name<M>);
          mine.one->deliver(won);
        }
        break;
      case server_core::held::by_nobody: break;
    }
    if (its.is_postponed && its.kind != step_kind::stop) {
      server_->request_end(Server::postponed_what_is_gone(), mine.type, mine.where);
      return;
    }
    server_->decide(its, mine.type, mine.where);
    server_->proceed(its);
  }

  Server* server_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
