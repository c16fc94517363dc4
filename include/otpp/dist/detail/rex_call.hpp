// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/dist/detail/pid_term.hpp>
#include <otpp/dist/remote_name.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/term/atom.hpp>
#include <otpp/term/form.hpp>
#include <otpp/term/value.hpp>
#include <otpp/timeout.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>

#include <exception>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Has a function called at a node of Erlang, by its process `rex`, as OTP's rpc does: {call, Module, Function, Arguments, Leader}.
template <class Reply>
struct rex_call {
  using reply_type = Reply;
  using argument = std::variant<pid, otpp::term>;

  atom module;
  atom function;
  std::vector<argument> arguments;
  atom leader{"user"}; // a process of ours would be sent what the function prints
  static constexpr auto term = as::tagged("call");
};

// Calls, and completes with nothing, or with the error that `judge` finds in the answer.
template <class Judge>
struct initiate_rex_call : initiation {
  explicit initiate_rex_call(Judge how) : judge(std::move(how)) {}

  Judge judge;

  template <class Handler>
  void operator()(Handler&& handler, dist::remote_name<> rex, rex_call<term> wanted) const {
    using judged = judged_handler<std::decay_t<Handler>>;
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto executor = asio::get_associated_executor(handler);
    auto told = asio::bind_cancellation_slot(slot, judged{std::forward<Handler>(handler), judge});
    if constexpr (has_own_executor<std::decay_t<Handler>>) {
      otpp::call(std::move(rex), std::move(wanted), infinite, asio::bind_executor(executor, std::move(told)));
    } else {
      otpp::call(std::move(rex), std::move(wanted), infinite, std::move(told));
    }
  }

 private:
  template <class Handler>
  struct judged_handler {
    void operator()(std::exception_ptr error, const term& answer) {
      std::move(handler)(error ? error : judge(answer));
    }

    Handler handler;
    Judge judge;
  };
};

} // namespace otpp::detail

#pragma GCC visibility pop
