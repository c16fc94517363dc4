// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/server_core.hpp>
#include <otpp/exit_reason.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Owns a request whose server half a handler holds. If the handler's frame is destroyed, with its context or
// because the handler could not start, the caller still gets an error.
template <class Request>
class unanswered {
 public:
  unanswered() noexcept = default;
  unanswered(server_core& server, Request& request) noexcept : server_(&server), request_(&request) {}
  unanswered(unanswered&& other) noexcept
      : server_(other.server_), request_(std::exchange(other.request_, nullptr)) {}
  unanswered& operator=(unanswered&&) = delete;
  ~unanswered() {
    if (!request_) {
      return;
    }
    if (server_->is_running_here()) {
      server_->answer_at_end(*request_, false); // the handler never started, which ends the server
    } else {
      request_->fail_unhandled(*server_, exit_reason::killed());
    }
  }
  Request& operator*() const noexcept { return *request_; }
  Request* operator->() const noexcept { return request_; }
  Request& release() noexcept { return *std::exchange(request_, nullptr); }

 private:
  server_core* server_ = nullptr;
  Request* request_ = nullptr;
};

// A coroutine parameter that takes the request only when it is moved into the frame. If there is no memory
// for the frame, the request is left where it was.
template <class Request>
class taken_unanswered {
 public:
  explicit taken_unanswered(unanswered<Request>& from) noexcept : from_(&from) {}
  taken_unanswered(taken_unanswered&& other) noexcept
      : own_(other.from_ ? std::move(*std::exchange(other.from_, nullptr)) : std::move(other.own_)) {}
  taken_unanswered& operator=(taken_unanswered&&) = delete;
  ~taken_unanswered() = default;
  unanswered<Request>& operator*() noexcept { return own_; }

 private:
  unanswered<Request>* from_ = nullptr;
  unanswered<Request> own_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
