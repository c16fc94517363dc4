// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/lease.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/failure.hpp>
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

#pragma GCC visibility push(default)

namespace otpp {

template <class Reply>
class request_handle;

namespace detail {

// Is notified when a response has arrived. The request holds a reference to it, which either notification
// releases.
class response_listener {
 public:
  virtual void response_came() noexcept = 0;

  // No notification will come: the request was dropped, or another listener has replaced this one.
  virtual void on_discarded() noexcept = 0;

  // Returns true if its wait has ended otherwise, for example by its timeout.
  virtual bool is_over() const noexcept = 0;

 protected:
  ~response_listener() = default;
};

// A call without a waiting caller: it stores its own response until the response is taken.
//
// The slot of an ordinary call belongs to the context of its caller. A request has no waiter yet, and a later
// one may run on any context. Its slot therefore belongs to the server's context: the response arrives there,
// also if that context is destroyed. A wait is a separate operation, which listens.
template <class R>
class open_request : public counted<open_request<R>> {
 public:
  virtual ~open_request() = default;

  virtual const intrusive_ptr<process>& asked() const noexcept = 0;
  virtual std::string_view content_type() const noexcept = 0;

  // Any thread: returns true if only the loop of the server can answer, and has not.
  virtual bool is_certain_to_wait() const noexcept = 0;

  bool is_ready() const noexcept {
    std::lock_guard lock(mutex_);
    return is_ready_;
  }

  // Returns true if a response has arrived and was not taken, or may still arrive.
  bool is_open() const noexcept {
    std::lock_guard lock(mutex_);
    return !is_taken_ && !is_dropped_;
  }

  // Notifies `one` of the response, now or when it arrives. A previous listener is told that it will not get
  // it.
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
      one.on_discarded();
    } else if (is_ready) {
      one.response_came();
    }
    if (before) {
      before->on_discarded();
    }
  }

  // Returns the response if it has arrived and was not taken; otherwise one with neither value nor error.
  response<R> take() noexcept { return claim_response() ? deactivate() : response<R>(); }

  // Moves the response into the slot of a wait. Precondition: the caller has claimed that slot.
  void give_to(answer_slot<R>& slot) noexcept {
    if (claim_response()) {
      move_into(slot);
    } else {
      slot.write_error(no_request());
    }
  }

  // The response is not wanted any more: a late one is dropped. OTP's receive_response does this when it
  // times out.
  void abandon() noexcept {
    response_listener* listener = nullptr;
    {
      std::lock_guard lock(mutex_);
      is_dropped_ = true;
      listener = std::exchange(listener_, nullptr);
    }
    if (listener) {
      listener->on_discarded();
    }
    withdraw();
  }

  // The handle was destroyed. Drops the request, unless a wait is in progress; that wait drops it if it ends
  // without a response.
  void on_handle_destroyed() noexcept {
    bool is_awaited = false;
    {
      std::lock_guard lock(mutex_);
      is_orphan_ = true;
      is_awaited = listener_ && !listener_->is_over();
    }
    if (!is_awaited) {
      abandon();
    }
  }
  bool has_no_handle() const noexcept {
    std::lock_guard lock(mutex_);
    return is_orphan_;
  }

  // The error for a wait without a request: OTP's `no_request`.
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

// The request with its message, in one allocation. The two halves of the slot hold one reference together.
template <call_message M, class Base = call_request<M>>
class pending_request final : public Base, public open_request<reply_t<M>>, public cached_memory {
  using reply = reply_t<M>;

 public:
  pending_request(envelope::opener how, M&& content, source_location where)
      : Base(how, std::move(content), where) {
    this->is_cancellable_ = true; // any thread may drop it
  }
  ~pending_request() override = default;

  // The server to which it will be sent is known. A wait for it may already be seen by other threads.
  void aim_at(intrusive_ptr<process> to) noexcept { this->server = std::move(to); }

  // Whoever refuses it decides it first, under the lock of those who look.
  void give_up() noexcept { this->decide(slot_state::decision::server_half); }

  // Sends it. The slot belongs to the server's context.
  void send_to(intrusive_ptr<server_core> to, duration patience) noexcept {
    server_core& target = *to;
    if (!this->server) {
      this->server = std::move(to); // else it is aimed already, and other threads may read this
    }
    this->lane_ = target.get_lane().get();
    this->timeout = patience;
    this->add_ref();
    target.send_call(unregistered<pending_request>(this));
  }

  // Stores this response without sending the request.
  void refuse(std::exception_ptr error) noexcept {
    this->error_ = std::move(error);
    this->decide(slot_state::decision::server_half);
    finish();
  }
  void refuse(errc code, intrusive_ptr<server_core> by) noexcept {
    this->server = std::move(by);
    refuse(this->say(code));
  }

  // The server's context was destroyed before the request could be sent.
  void end_unregistered() noexcept override {
    if (this->decide(slot_state::decision::context_destroyed)) {
      this->write_error(this->say(errc::no_process)); // as for any server that has ended before
      finish();
      this->release_half(slot_state::half::caller);
    }
    this->release_half(slot_state::half::server);
  }

  // The server's context is being destroyed, and the request was not answered.
  void on_context_destroyed() noexcept override {
    if (this->decide(slot_state::decision::context_destroyed)) {
      this->write_end(exit_reason::killed());
      finish();
      this->release_half(slot_state::half::caller);
    }
  }

 private:
  // The answer has arrived in the server's context, or is discarded with that context on the way.
  void run() override { conclude(); }
  void discard() noexcept override { conclude(); }
  void conclude() noexcept {
    this->stop_waiting();
    finish();
    this->release_half(slot_state::half::caller);
  }

  // The response is written.
  void finish() noexcept {
    if constexpr (requires { this->caller_leaves(); }) {
      this->caller_leaves();
    }
    if (this->error_) {
      tell_failure(this->said_, operation(), this->message(), this->server.get());
    }
    this->respond();
  }

  void withdraw() noexcept override {
    if (!this->server || !this->lane_) {
      return; // it was never sent
    }
    bool is_decided = false;
    {
      context_guard inside(this->context());
      // Otherwise it has arrived, or the destruction of the context delivers it.
      is_decided = inside && this->decide(slot_state::decision::cancellation);
      if (is_decided) {
        this->stop_waiting();
      }
    }
    if (is_decided) {
      this->release_half(slot_state::half::caller);
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
  bool is_certain_to_wait() const noexcept override { return this->is_sure(); }
  std::string_view content_type() const noexcept override { return type_name<M>(); }
  std::string_view operation() const noexcept override { return "send_request"; }
  void destroy() noexcept override {
    if constexpr (requires { this->give_back(); }) {
      this->give_back();
    }
    this->release();
  }
};

// A request that has all its memory, and has not been sent.
template <call_message M, class Lease = no_lease>
class ready_request {
  using request_type = pending_request<M, leased<call_request<M>, Lease>>;

 public:
  template <class Address>
  ready_request(Address&& to, M&& content)
      : target_(resolve_for<server_core::verb::call, M>(std::move(to))),
        request_(new request_type(target_.open, std::move(content), target_.where)) {}
  template <lends Address>
    requires std::is_same_v<Lease, lease_of<Address>>
  ready_request(Address&& to, M&& content) {
    Lease lease;
    target_ = resolve_call<M>(std::move(to), lease);
    request_ = intrusive_ptr<request_type>(new request_type(target_.open, std::move(content), target_.where));
    request_->keep(std::move(lease));
  }

  // The server to which it goes; or null.
  const intrusive_ptr<server_core>& server() const noexcept { return target_.server; }

  const intrusive_ptr<request_type>& request() const noexcept { return request_; }

  void refuse(errc code) noexcept { request_->refuse(code, std::move(target_.server)); }
  // As above, with an error that has more to say.
  void refuse(errc code, std::exception_ptr why) noexcept {
    target_.server = {};
    request_->set_said(code);
    request_->refuse(std::move(why));
  }

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
  intrusive_ptr<request_type> request_;
};

template <class M, class Address, class Make>
auto make_request(Address&& to, duration timeout, Make make) {
  if constexpr (check_sent<server_core::verb::call, M, Address>()) {
    ready_request<M, lease_of<Address>> made(std::move(to), make());
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

#pragma GCC visibility pop
