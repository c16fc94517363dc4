// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/unanswered.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/outcome.hpp>

#include <asio/awaitable.hpp>

#include <exception>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Handles the calls of one type: runs handle_call, and does what its result says. A view of the server,
// passed by value.
template <class Server, class M>
class call_handler {
  using callbacks = typename Server::callbacks_type;
  using request = call_request<M>;
  using reply = reply_t<M>;
  using returned = call_result_t<callbacks, M>;
  static_assert(check_call_handler<callbacks, M>());

 public:
  explicit call_handler(Server& server) noexcept : server_(&server) {}

  void handle(request& one) const {
    if constexpr (calls_with_caller<callbacks, M>) {
      handle_with_caller(one);
    } else {
      handle_alone(one);
    }
  }

 private:
  // ---- without an otpp::caller ----

  void handle_alone(request& one) const {
    unanswered<request> hold(*server_, one);
    if constexpr (is_awaitable<returned>) {
      try {
        server_->run_job(await_alone(hold));
      } catch (...) {
        crash(hold, std::current_exception()); // no memory for its frame
      }
      server_->register_local_if_busy();
    } else {
      try {
        if constexpr (std::is_void_v<returned>) {
          server_->callbacks_.handle_call(std::move(one.content()), server_->state());
          answer(hold);
        } else if constexpr (is_outcome<returned>) {
          conclude(hold, server_->callbacks_.handle_call(std::move(one.content()), server_->state()));
        } else {
          answer(hold, server_->callbacks_.handle_call(std::move(one.content()), server_->state()));
        }
      } catch (...) {
        crash(hold, std::current_exception());
      }
    }
  }

  asio::awaitable<void> await_alone(unanswered<request>& hold) const {
    using taken = taken_unanswered<request>;
    return handler_coroutine::job_of<call_handler>::make(
        *server_, taken(hold),
        [server = server_](taken& mine) {
          return server->callbacks_.handle_call(std::move((*mine)->content()), server->state());
        },
        [self = *this]<class... Result>(taken& mine, Result&&... result) {
          if constexpr ((is_outcome<Result> || ...)) {
            self.conclude(*mine, std::move(result)...);
          } else {
            self.answer(*mine, std::move(result)...);
          }
        },
        [self = *this](taken& mine, std::exception_ptr error) { self.crash(*mine, std::move(error)); });
  }

  template <class... Value>
  void answer(unanswered<request>& hold, Value&&... value) const noexcept {
    server_->replies(&detail::type_name<M>);
    hold.release().answer(std::forward<Value>(value)...);
  }

  void conclude(unanswered<request>& hold, outcome<reply> result) const {
    server_->next(std::move(access::action(result)));
    if (access::kind(result) == outcome_kind::fail || access::value(result)) {
      server_->replies(&detail::type_name<M>);
    }
    switch (access::kind(result)) {
      case outcome_kind::value: answer_with(hold, result); return;
      case outcome_kind::fail: hold.release().fail(std::move(access::error(result))); return;
      case outcome_kind::stop:
        if (access::value(result)) {
          hold->prepare(std::move(*access::value(result)));
        }
        server_->request_end(std::move(access::reason(result)), hold->message_type(), hold->where());
        server_->answer_at_end(hold.release(), access::value(result).has_value());
        return;
      case outcome_kind::no_reply:
      case outcome_kind::ignore: break;
    }
    // The handler returned no_reply, and no otpp::caller exists.
    hold.release().fail(errc::no_reply);
  }

  static void answer_with(unanswered<request>& hold, outcome<reply>& result) noexcept {
    if constexpr (std::is_void_v<reply>) {
      hold.release().answer();
    } else {
      hold.release().answer(std::move(*access::value(result)));
    }
  }

  // The handler threw: the server ends, and this caller gets the reason afterwards.
  void crash(unanswered<request>& hold, std::exception_ptr error) const noexcept {
    server_->request_end(std::move(error), hold->message_type(), hold->where());
    server_->answer_at_end(hold.release(), false);
  }

  // ---- with an otpp::caller ----

  void handle_with_caller(request& one) const {
    if constexpr (is_awaitable<returned> && is_boxed) {
      unanswered<request> hold(*server_, one);
      std::unique_ptr<M> content;
      try {
        content = std::make_unique<M>(std::move(one.content()));
      } catch (...) {
        crash(hold, std::current_exception());
        return;
      }
      start_with_caller(hold.release(), std::move(content));
    } else if constexpr (is_awaitable<returned>) {
      start_with_caller(one, std::move(one.content()));
    } else {
      give_caller(one);
      std::string_view type = one.message_type();
      source_location where = one.where();
      try {
        auto from = access::make<caller<reply>>(one);
        if constexpr (std::is_void_v<returned>) {
          server_->callbacks_.handle_call(std::move(one.content()), std::move(from), server_->state());
          finish_with_caller(one, no_reply);
        } else {
          // Two statements: GCC destroys the handler's otpp::caller at the end of the full expression.
          auto result =
              server_->callbacks_.handle_call(std::move(one.content()), std::move(from), server_->state());
          finish_with_caller(one, std::move(result));
        }
      } catch (...) {
        server_->request_end(std::current_exception(), type, where);
      }
    }
  }

  // The otpp::caller may be passed to any thread.
  void give_caller(request& one) const {
    turn::current()->register_local(server_);
    server_->open(one);
  }

  // A message is not moved into a frame if that may throw, nor if a frame does not give it its alignment: compilers
  // allocate frames as if nothing in them needed more than the heap guarantees.
  static constexpr bool is_boxed =
      !std::is_nothrow_move_constructible_v<M> || alignof(M) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  using kept = std::conditional_t<is_boxed, std::unique_ptr<M>, M>;

  void start_with_caller(request& one, kept&& content) const {
    give_caller(one);
    try {
      server_->run_job(await_with_caller(one, std::move(content)));
    } catch (...) {
      server_->request_end(std::current_exception(), detail::type_name<M>());
    }
  }

  // The message belongs to the frame: the request may be destroyed as soon as the otpp::caller has answered.
  struct with_caller {
    M&& take() noexcept {
      if constexpr (is_boxed) {
        return std::move(*content);
      } else {
        return std::move(content);
      }
    }

    caller<reply> from;
    kept content;
    request* one;
    std::string_view type;
    source_location where;
  };

  asio::awaitable<void> await_with_caller(request& one, kept&& content) const {
    return handler_coroutine::job_of<call_handler>::make(
        *server_,
        with_caller{
            access::make<caller<reply>>(one), std::move(content), &one, one.message_type(), one.where()},
        [server = server_](with_caller& mine) {
          return server->callbacks_.handle_call(mine.take(), std::move(mine.from), server->state());
        },
        [self = *this]<class... Result>(with_caller& mine, Result&&... result) {
          if constexpr (sizeof...(Result) == 0) {
            self.finish_with_caller(*mine.one, no_reply);
          } else {
            self.finish_with_caller(*mine.one, std::move(result)...);
          }
        },
        [server = server_](with_caller& mine, std::exception_ptr why) {
          server->request_end(std::move(why), mine.type, mine.where);
        });
  }

  // Called when the handler has returned. Its otpp::caller may have answered, be stored, or have been
  // dropped.
  template <class Result>
  void finish_with_caller(request& one, Result result) const {
    reply_slot::claim won;
    switch (server_->take_back(one, is_answer(result), won)) {
      case server_core::held::by_loop: {
        unanswered<request> hold(*server_, one);
        conclude_returned(hold, std::move(result));
        return;
      }
      case server_core::held::by_somebody:
        if (won) {
          write_returned(one, result);
          server_->replies(&detail::type_name<M>);
          one.deliver(won);
        }
        break;
      case server_core::held::by_nobody: break;
    }
    if constexpr (is_outcome<Result>) {
      server_->next(std::move(access::action(result)));
      if (access::kind(result) == outcome_kind::stop) {
        server_->request_end(std::move(access::reason(result)), detail::type_name<M>());
      }
    }
  }

  template <class Result>
  static bool is_answer(Result& result) noexcept {
    if constexpr (is_outcome<Result>) {
      return access::kind(result) == outcome_kind::value || access::kind(result) == outcome_kind::fail;
    } else {
      return !std::is_same_v<Result, no_reply_t>;
    }
  }

  template <class Result>
  void conclude_returned(unanswered<request>& hold, Result result) const {
    if constexpr (is_outcome<Result>) {
      conclude(hold, std::move(result));
    } else if constexpr (std::is_same_v<Result, no_reply_t>) {
      conclude(hold, outcome<reply>(no_reply));
    } else {
      answer(hold, std::move(result));
    }
  }

  template <class Result>
  static void write_returned(request& one, Result& result) noexcept {
    if constexpr (is_outcome<Result>) {
      if (access::kind(result) == outcome_kind::fail) {
        one.write_error(std::move(access::error(result)));
      } else if constexpr (std::is_void_v<reply>) {
        one.emplace();
      } else {
        one.emplace(std::move(*access::value(result)));
      }
    } else if constexpr (!std::is_same_v<Result, no_reply_t>) {
      one.emplace(std::move(result));
    }
  }

  Server* server_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
