// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/server_core.hpp>
#include <otpp/exit_reason.hpp>

#include <utility>

namespace otpp::detail {

// A request whose server half is with a handler. If the handler's frame is destroyed, with its context or
// because it could not begin, the caller still hears of it.
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
      server_->answer_at_end(*request_, false); // it never began, and the server ends for that
    } else {
      request_->bounce(*server_, exit_reason::killed());
    }
  }
  Request& operator*() const noexcept { return *request_; }
  Request* operator->() const noexcept { return request_; }
  Request& release() noexcept { return *std::exchange(request_, nullptr); }

 private:
  server_core* server_ = nullptr;
  Request* request_ = nullptr;
};

// A coroutine's parameter that takes the request when it is moved into the frame, and not before: if
// there is no memory for the frame, the request is still where it was.
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
