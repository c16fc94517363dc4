// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/request/response.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <exception>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otpp {

template <class Reply>
class request_handle;

namespace detail {

// Who is told that a response is there. Its request has a claim on it, which ends with either call.
class response_listener {
 public:
  virtual void response_came() noexcept = 0;

  // Nothing comes any more: the request was dropped, or another listens.
  virtual void forgotten() noexcept = 0;

  // True if it was told of something else already, such as the end of its time.
  virtual bool has_given_up() const noexcept = 0;

 protected:
  ~response_listener() = default;
};

// A call that nobody need wait for: it keeps its own response until somebody takes it.
//
// The slot of a usual call belongs to the context of whoever waits. Here nobody may wait, and whoever does
// later may do so anywhere, so that the slot is at home in the server's context: there the response
// arrives, also when that context is destroyed. A wait is an operation of its own, which listens.
template <class R>
class open_request : public counted<open_request<R>> {
 public:
  virtual ~open_request() = default;

  virtual const intrusive_ptr<process>& asked() const noexcept = 0;
  virtual std::string_view content_type() const noexcept = 0;

  bool is_ready() const noexcept {
    std::lock_guard lock(mutex_);
    return is_ready_;
  }

  // True if a response is there, or may come.
  bool is_open() const noexcept {
    std::lock_guard lock(mutex_);
    return !is_taken_ && !is_dropped_;
  }

  // Tells `one` of the response, now or when it comes; and another, who listened before, that it will not.
  void listen(response_listener& one) noexcept {
    response_listener* before = nullptr;
    bool is_ready = false;
    bool is_dropped = false;
    {
      std::lock_guard lock(mutex_);
      is_ready = is_ready_;
      is_dropped = is_dropped_;
      if (!is_ready && !is_dropped) {
        before = std::exchange(listener_, &one);
      }
    }
    if (is_dropped) {
      one.forgotten();
    } else if (is_ready) {
      one.response_came();
    }
    if (before) {
      before->forgotten();
    }
  }

  // The response, if it is there and was not taken; else one with neither value nor error.
  response<R> take() noexcept { return claim_response() ? deactivate() : response<R>(); }

  // The same into the slot of one who waits, whose decision the caller has.
  void give_to(answer_slot<R>& slot) noexcept {
    if (claim_response()) {
      move_into(slot);
    } else {
      slot.write_error(no_request());
    }
  }

  // Nobody wants the response any more: a late one is dropped. OTP's receive_response does it in the end.
  void drop() noexcept {
    response_listener* listener = nullptr;
    {
      std::lock_guard lock(mutex_);
      is_dropped_ = true;
      listener = std::exchange(listener_, nullptr);
    }
    if (listener) {
      listener->forgotten();
    }
    withdraw();
  }

  // Its handle is gone: dropped, unless somebody waits, who drops it if his wait is in vain.
  void orphan() noexcept {
    bool is_awaited = false;
    {
      std::lock_guard lock(mutex_);
      is_orphan_ = true;
      is_awaited = listener_ && !listener_->has_given_up();
    }
    if (!is_awaited) {
      drop();
    }
  }
  bool is_orphan() const noexcept {
    std::lock_guard lock(mutex_);
    return is_orphan_;
  }

  // What whoever waits for nothing is told: OTP's `no_request`.
  static std::exception_ptr no_request() noexcept {
    try {
      return std::make_exception_ptr(std::logic_error(
          "otpp: there is no request to wait for: its answer was taken, or it was abandoned"));
    } catch (...) {
      return std::current_exception();
    }
  }

 protected:
  void respond() noexcept {
    response_listener* listener = nullptr;
    {
      std::lock_guard lock(mutex_);
      is_ready_ = true;
      listener = std::exchange(listener_, nullptr);
    }
    if (listener) {
      listener->response_came();
    }
  }

  virtual response<R> deactivate() noexcept = 0;
  virtual void move_into(answer_slot<R>& slot) noexcept = 0;
  virtual void withdraw() noexcept = 0;

 private:
  bool claim_response() noexcept {
    std::lock_guard lock(mutex_);
    return is_ready_ && !std::exchange(is_taken_, true);
  }

  mutable spin_mutex mutex_;
  response_listener* listener_ = nullptr;
  bool is_ready_ = false;
  bool is_taken_ = false;
  bool is_dropped_ = false;
  bool is_orphan_ = false;
};

// The request with its message: one allocation. The slot's two halves have one reference together.
template <call_message M>
class pending_request final : public call_request<M>, public open_request<reply_t<M>>, public cached_memory {
  using reply = reply_t<M>;

 public:
  pending_request(envelope::opener how, M&& content, source_location where)
      : call_request<M>(how, std::move(content), where) {
    this->is_cancellable_ = true; // by whoever drops it, on any thread
  }
  ~pending_request() override = default;

  // Sends it. The slot is at home with the server.
  void send_to(intrusive_ptr<server_core> to, duration patience) noexcept {
    server_core& target = *to;
    this->server = std::move(to);
    this->lane_ = target.get_lane().get();
    this->timeout = patience;
    this->add_ref();
    target.send_call(unregistered<pending_request>(this));
  }

  // It is not sent: this is the response.
  void refuse(std::exception_ptr error) noexcept {
    this->error_ = std::move(error);
    this->decide(slot_state::decision::server_half);
    this->respond();
  }
  void refuse(errc code, intrusive_ptr<server_core> by) noexcept {
    this->server = std::move(by);
    refuse(this->say(code));
  }

  // The server's context has gone before it could be sent.
  void end_unregistered() noexcept {
    abandon_waiting();
    this->leave(slot_state::half::server);
  }

  // The server's context is being destroyed, and nobody has answered.
  void abandon_waiting() noexcept override {
    if (this->decide(slot_state::decision::context_destroyed)) {
      this->write_end(exit_reason::killed());
      this->respond();
      this->leave(slot_state::half::caller);
    }
  }

 private:
  // The answer has come to the server's context, or what is on the way there is thrown away with it.
  void run() override { conclude(); }
  void discard() noexcept override { conclude(); }
  void conclude() noexcept {
    this->stop_waiting();
    this->respond();
    this->leave(slot_state::half::caller);
  }

  void withdraw() noexcept override {
    if (!this->server || !this->lane_) {
      return; // it was never sent
    }
    bool is_decided = false;
    {
      context_guard inside(this->context());
      // Else it has arrived, or will on the destruction of the context.
      is_decided = inside && this->decide(slot_state::decision::cancellation);
      if (is_decided) {
        this->stop_waiting();
      }
    }
    if (is_decided) {
      this->leave(slot_state::half::caller);
    }
  }

  response<reply> deactivate() noexcept override {
    return this->error_ ? access::make<response<reply>>(no_value(), std::move(this->error_))
                        : access::make<response<reply>>(std::move(*this->value_));
  }
  void move_into(answer_slot<reply>& slot) noexcept override {
    if (this->error_) {
      slot.write_error(std::move(this->error_));
    } else {
      slot.emplace(std::move(*this->value_));
    }
  }

  const intrusive_ptr<process>& asked() const noexcept override { return this->server; }
  std::string_view content_type() const noexcept override { return type_name<M>(); }
  std::string_view operation() const noexcept override { return "send_request"; }
  void destroy() noexcept override { this->release(); }
};

// A request that has all its memory, and was not sent yet.
template <call_message M>
class ready_request {
 public:
  template <class Address>
  ready_request(Address&& to, M&& content)
      : target_(resolve_for<server_core::verb::call, M>(std::move(to))),
        request_(new pending_request<M>(target_.open, std::move(content), target_.where)) {}

  // Whom it goes to; or null.
  const intrusive_ptr<server_core>& server() const noexcept { return target_.server; }

  void refuse(errc code) noexcept { request_->refuse(code, std::move(target_.server)); }

  // Sends it, unless it was refused.
  intrusive_ptr<open_request<reply_t<M>>> send(duration timeout) && noexcept {
    if (target_.error) {
      request_->refuse(std::move(target_.error));
    } else if (target_.server && timeout < duration::zero()) {
      refuse(errc::timeout);
    } else if (target_.server) {
      request_->send_to(std::move(target_.server), timeout);
    }
    return std::move(request_);
  }

 private:
  destination target_;
  intrusive_ptr<pending_request<M>> request_;
};

template <class M, class Address, class Make>
auto make_request(Address&& to, duration timeout, Make make) {
  if constexpr (check_sent<server_core::verb::call, M, Address>()) {
    ready_request<M> made(std::move(to), make());
    return access::make<request_handle<reply_t<M>>>(std::move(made).send(timeout));
  }
}

template <class Address, class Message>
auto request_with(Address&& to, duration timeout, Message&& content) {
  using M = std::decay_t<Message>;
  static_assert(check_temporary<Message, asio::use_awaitable_t<>>()); // it may be awaited at once
  return make_request<M>(std::move(to), timeout, [&] { return M(std::forward<Message>(content)); });
}

} // namespace detail
} // namespace otpp
