// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/request/detail/open_request.hpp>
#include <otpp/timeout.hpp>

#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A wait for a response.
template <class R>
class response_wait : public answer_slot<R>, public response_listener {
 public:
  response_wait(intrusive_ptr<open_request<R>> of, bool abandons) noexcept
      : request_(std::move(of)), abandons_(abandons) {}

  // If the wait is over, the response stays in the request for the next wait.
  void response_came() noexcept override {
    this->answer_with([this]() noexcept { write_response(); });
  }
  void on_discarded() noexcept override { this->fail(reply_slot::aborted()); }

  // Writes the response. Precondition: the slot was claimed.
  void write_response() noexcept {
    is_answered_ = true;
    request_->give_to(*this);
  }
  bool is_over() const noexcept override { return this->decided(); }

  bool visit_awaited(awaited_visitor& visit) const noexcept override {
    return visit.one(request_->asked(), this->is_sure() && request_->is_certain_to_wait());
  }

 protected:
  ~response_wait() = default;

  // Hides that of reply_slot: `operation` calls it when the wait is over, for whatever reason.
  void stop_waiting() noexcept {
    reply_slot::stop_waiting();
    intrusive_ptr<open_request<R>> request = std::move(request_);
    if (request && !is_answered_ && (abandons_ || request->has_no_handle())) {
      message_ = request->content_type(); // else the request goes on, and has not failed: nobody is told
      request->abandon();
    }
  }

  std::string_view operation() const noexcept override { return "send_request"; }
  std::string_view message() const noexcept override {
    return request_ ? request_->content_type() : message_;
  }

 private:
  intrusive_ptr<open_request<R>> request_;
  std::string_view message_; // of a request that was given up
  bool abandons_;
  bool is_answered_ = false;
};

template <class R>
class initiate_wait : public initiation {
 public:
  initiate_wait(intrusive_ptr<open_request<R>> of, duration patience, bool abandons) noexcept
      : request_(std::move(of)), timeout_(patience), abandons_(abandons) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using waiting = operation<response_wait<R>, R, std::decay_t<Handler>>;
    intrusive_ptr<open_request<R>> request = request_; // this object may be destroyed before the end
    duration patience = timeout_;
    intrusive_ptr<server_core> server;
    if (request && request->asked()) {
      server = intrusive_ptr<server_core>(static_cast<server_core*>(request->asked().get()));
    }
    unregistered<waiting> wait =
        make_operation<waiting>(std::forward<Handler>(handler), server.get(), request, abandons_);
    if (!wait) {
      return;
    }
    wait->timeout = patience;
    wait->server = server;
    if (!request || !request->is_open()) {
      refuse(std::move(wait), open_request<R>::no_request());
    } else if (request->is_ready()) {
      complete(std::move(wait), [](waiting& one) noexcept { one.write_response(); });
    } else if (std::exception_ptr why = why_not_wait(*wait, *server)) {
      refuse(std::move(wait), std::move(why));
    } else if (server_half<waiting> half = register_wait(std::move(wait))) {
      request->listen(*half.release());
    }
  }

 private:
  intrusive_ptr<open_request<R>> request_;
  duration timeout_;
  bool abandons_;
};

template <class R, class Token>
auto start_wait(intrusive_ptr<open_request<R>> of, duration timeout, bool abandons, Token&& token) {
  return initiate<R>(initiate_wait<R>(std::move(of), timeout, abandons), std::forward<Token>(token));
}

} // namespace otpp::detail

#pragma GCC visibility pop
