// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/server/drain.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>

#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// drain of server_ref and pid.

namespace otpp::detail {

// Waits for the end of a server that drains. That it is to drain is no message: it acts at once.
class drain_request : public answer_slot<void> {
 public:
  drain_request(server_core* to, exit_reason reason) : wanted_(std::move(reason)) {
    if (to) {
      relations::plan_drain(*to);
    }
  }

  const exit_reason& wanted() const noexcept { return wanted_; }

  void write_end(const exit_reason& reason) noexcept override {
    if (static_cast<const server_core&>(*server).related()->drains()->is_late()) {
      write_error(say(errc::timeout));
    } else if (reason == wanted_) {
      emplace();
    } else {
      write_error(say(errc::exited, reason));
    }
  }

 protected:
  ~drain_request() override = default;
  std::string_view operation() const noexcept override { return "drain"; }

 private:
  exit_reason wanted_;
};

struct initiate_drain : initiation {
  template <class Handler>
  void operator()(
      Handler&& handler, intrusive_ptr<server_core> server, exit_reason reason, duration within,
      std::exception_ptr why_nobody = nullptr) {
    using request = operation<drain_request, void, std::decay_t<Handler>>;
    unregistered<request> drain = make_operation<request>(
        std::forward<Handler>(handler), server.get(), server.get(), std::move(reason));
    if (!drain) {
      return;
    }
    drain->server = server;
    std::exception_ptr why = std::move(why_nobody);
    if (!server && !why) {
      why = drain->refusal(errc::no_process, "nobody");
    } else if (server && server->has_ended()) {
      why = drain->say(errc::no_process);
    } else if (server && server->stands_for_another()) {
      why = drain->say(errc::bad_message);
    } else if (server) {
      why = why_not_wait(*drain, *server);
    }
    if (why) {
      refuse(std::move(drain), std::move(why));
    } else if (server_half<request> half = register_wait(std::move(drain))) {
      const exit_reason wanted = half->wanted();
      server->related()->watch(*half.release());
      server->related()->drain(wanted, within);
    }
  }
};

template <class Token>
auto start_drain(
    intrusive_ptr<server_core> server, exit_reason reason, duration within, Token&& token,
    std::exception_ptr why_nobody = nullptr) {
  return initiate<void>(
      initiate_drain(), std::forward<Token>(token), std::move(server), std::move(reason), within,
      std::move(why_nobody));
}

} // namespace otpp::detail

#pragma GCC visibility pop
