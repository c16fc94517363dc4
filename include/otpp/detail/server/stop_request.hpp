// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/deadlock.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>

#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// stop and join of server_ref and pid.

namespace otpp::detail {

// A stop in transit: first a message like any other, and then an operation that waits for the end.
class stop_request : public envelope, public answer_slot<void> {
 public:
  stop_request(server_core* to, exit_reason reason, bool goes_ahead)
      : envelope(&opened), wanted_(std::move(reason)) {
    if (to) {
      relations::of(*to);
    }
    is_system = true;
    is_ahead = goes_ahead;
  }

  void fail_unhandled(server_core&, const exit_reason& reason) noexcept override {
    auto won = try_claim();
    if (won) {
      write_end(reason);
      deliver_and_release(won);
    } else {
      release_server_half();
    }
  }
  void discard_message() noexcept override { release_server_half(); }

  // A stop cancels what the body of a process waits for.
  bool visit_awaited(awaited_visitor& visit) const noexcept override {
    return visit.one(server, is_sure() && !server->opens_at_once());
  }

  // The server has been stopped as requested, or has ended for another reason first.
  void write_end(const exit_reason& reason) noexcept override {
    if (reason == wanted_) {
      emplace();
    } else {
      write_error(say(errc::exited, reason));
    }
  }

 protected:
  ~stop_request() override = default;
  std::string_view operation() const noexcept override { return "stop"; }

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<stop_request&>(item);
    if (server.stands_for_another()) {
      server.tell_elsewhere(process::deed::stop, nullptr, &self.wanted_);
    } else {
      server.request_end(self.wanted_);
    }
    server.related()->watch(self);
  }

  exit_reason wanted_;
};

class join_request : public answer_slot<exit_reason> {
 public:
  explicit join_request(server_core* to) {
    if (to) {
      relations::of(*to);
    }
  }
  void write_end(const exit_reason& reason) noexcept override { emplace(reason); }

 protected:
  ~join_request() override = default;
  std::string_view operation() const noexcept override { return "join"; }
};

// Of nobody, `why_nobody` is the error, if somebody knows more.
struct initiate_stop : initiation {
  template <class Handler>
  void operator()(
      Handler&& handler, intrusive_ptr<server_core> server, exit_reason reason, duration timeout,
      bool is_ahead = false, std::exception_ptr why_nobody = nullptr) {
    using request = operation<stop_request, void, std::decay_t<Handler>>;
    unregistered<request> stop = make_operation<request>(
        std::forward<Handler>(handler), server.get(), server.get(), std::move(reason), is_ahead);
    if (!stop) {
      return;
    }
    stop->server = server;
    stop->timeout = timeout;
    if (!server) {
      std::exception_ptr why = why_nobody ? std::move(why_nobody) : stop->refusal(errc::no_process, "nobody");
      refuse(std::move(stop), std::move(why));
    } else if (std::exception_ptr why = why_not_wait(*stop, *server)) {
      refuse(std::move(stop), std::move(why));
    } else {
      server->send_registered<&mailbox::push_library_message>(std::move(stop));
      if (is_ahead) {
        server->related()->hurry();
      }
    }
  }
};

// A join with a `patience` comes from a supervisor that has already told the server to end; it is never
// refused as a deadlock.
template <class Request, class R>
struct initiate_wait_for_end : initiation {
  template <class Handler>
  void operator()(
      Handler&& handler, intrusive_ptr<server_core> server, std::optional<duration> patience = std::nullopt) {
    using request = operation<Request, R, std::decay_t<Handler>>;
    unregistered<request> join =
        make_operation<request>(std::forward<Handler>(handler), server.get(), server.get());
    if (!join) {
      return;
    }
    join->server = server;
    join->timeout = patience.value_or(infinite);
    if (process* waiting = patience ? join->waiting_handler() : nullptr) {
      join->set_edge(*waiting); // a call from its `terminate` to the waiting process is refused
    }
    std::exception_ptr why;
    if (!server) {
      why = join->refusal(errc::no_process, "nobody");
    } else if (!patience || join->is_inside(*server)) {
      why = why_not_wait(*join, *server);
    }
    if (why) {
      refuse(std::move(join), std::move(why));
    } else if (server_half<request> half = register_wait(std::move(join))) {
      server->related()->watch(*half.release());
    }
  }
};

struct initiate_join : initiate_wait_for_end<join_request, exit_reason> {};

template <class Token>
auto start_stop(
    intrusive_ptr<server_core> server, exit_reason reason, duration timeout, bool is_ahead, Token&& token,
    std::exception_ptr why_nobody = nullptr) {
  return initiate<void>(
      initiate_stop(), std::forward<Token>(token), std::move(server), std::move(reason), timeout, is_ahead,
      std::move(why_nobody));
}

template <class Token>
auto start_join(intrusive_ptr<server_core> server, Token&& token) {
  return initiate<exit_reason>(initiate_join(), std::forward<Token>(token), std::move(server));
}

} // namespace otpp::detail

#pragma GCC visibility pop
