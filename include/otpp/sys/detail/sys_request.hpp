// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// An action on a server between two of its messages. It is run only while its caller waits, so it may refer
// to the caller's objects; once it has started, the caller waits for its end.
template <class R, class Act>
class sys_request : public envelope, public answer_slot<R> {
 public:
  sys_request(std::string_view verb, Act&& act, server_core* goes_ahead_at)
      : envelope(&opened), verb_(verb), act_(std::in_place, std::move(act)) {
    is_system = true;
    if (goes_ahead_at) {
      goes_ahead_at->queue().let_ahead(relations::of(*goes_ahead_at).notice);
    }
  }

  void fail_unhandled(server_core&, const exit_reason& reason) noexcept override {
    this->fail(errc::exited, reason);
  }
  void discard_message() noexcept override { this->release_server_half(); }
  bool visit_awaited(awaited_visitor& visit) const noexcept override {
    return visit.one(this->server, this->is_sure() && !this->server->opens_at_once()); // which refuses it
  }

 protected:
  ~sys_request() override = default;
  std::string_view operation() const noexcept override { return verb_; }

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<sys_request&>(item);
    reply_slot::claim won = self.try_claim();
    if (!won) {
      self.release_server_half();
      return;
    }
    std::exception_ptr why;
    try {
      if constexpr (std::is_void_v<R>) {
        (*self.act_)(server);
        self.prepare();
      } else {
        self.prepare((*self.act_)(server));
      }
    } catch (...) {
      why = std::current_exception();
    }
    self.act_.reset(); // its captures may refer to the caller's objects, and must not outlive the wait
    if (why) {
      self.write_error(std::move(why));
    }
    self.deliver_and_release(won);
  }

  std::string_view verb_;
  std::optional<Act> act_;
};

template <class R, class Act>
struct initiate_sys : initiation {
  template <class Handler>
  void operator()(
      Handler&& handler, std::string_view verb, destination target, duration patience, bool is_ahead,
      Act&& act) {
    using request = operation<sys_request<R, Act>, R, std::decay_t<Handler>>;
    unregistered<request> ask = make_operation<request>(
        std::forward<Handler>(handler), target.server.get(), verb, std::move(act),
        is_ahead ? target.server.get() : nullptr);
    if (!ask) {
      return;
    }
    if (target.error) {
      refuse(std::move(ask), std::move(target.error));
      return;
    }
    server_core& server = *target.server;
    ask->timeout = patience;
    ask->server = target.server;
    if (std::exception_ptr why = why_not_wait(*ask, server)) {
      refuse(std::move(ask), std::move(why));
    } else if (is_ahead) {
      server.send_registered<&mailbox::push_ahead>(std::move(ask));
      server.related()->hurry();
    } else {
      server.send_registered<&mailbox::push_library_message>(std::move(ask));
    }
  }
};

template <class Act, class Address, class Token>
auto send_sys(std::string_view verb, Address&& to, Act act, duration patience, bool is_ahead, Token&& token) {
  using R = std::invoke_result_t<Act&, server_core&>;
  if constexpr (check_address<Address>()) {
    return initiate<R>(
        initiate_sys<R, Act>(), std::forward<Token>(token), verb, resolve(std::move(to), purpose{verb}),
        patience, is_ahead, std::move(act));
  }
}

// What follows the arguments of a verb: a timeout, `ahead`, and a token, each of which may be left out.
template <class Act, class Address, timeout_like Duration, class Token = asio::use_awaitable_t<>>
  requires(!is_ahead_tag<Token>)
auto ask_sys(std::string_view verb, Address&& to, Act act, Duration patience, Token&& token = {}) {
  return send_sys(verb, std::move(to), std::move(act), saturate(patience), false, std::forward<Token>(token));
}
template <class Act, class Address, class Token = asio::use_awaitable_t<>>
  requires(!timeout_like<Token> && !is_ahead_tag<Token>)
auto ask_sys(std::string_view verb, Address&& to, Act act, Token&& token = {}) {
  return send_sys(verb, std::move(to), std::move(act), unsaid_timeout, false, std::forward<Token>(token));
}
template <class Act, class Address, timeout_like Duration, class Token = asio::use_awaitable_t<>>
auto ask_sys(std::string_view verb, Address&& to, Act act, Duration patience, ahead_t, Token&& token = {}) {
  return send_sys(verb, std::move(to), std::move(act), saturate(patience), true, std::forward<Token>(token));
}
template <class Act, class Address, class Token = asio::use_awaitable_t<>>
auto ask_sys(std::string_view verb, Address&& to, Act act, ahead_t, Token&& token = {}) {
  return send_sys(verb, std::move(to), std::move(act), unsaid_timeout, true, std::forward<Token>(token));
}

// A process that is one coroutine has no loop that could run the action.
inline void expect_loop(std::string_view verb, const server_core& server) {
  relations* its = server.related();
  if (its && its->body) {
    std::rethrow_exception(make_error(errc::bad_message, verb, {}, server.describe()));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
