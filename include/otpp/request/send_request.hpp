// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/message.hpp>
#include <otpp/request/response.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otpp {

namespace detail {

/// Who is told that a response is there. Its request has a claim on it, which ends with either call.
class response_listener {
 public:
  virtual void response_came() noexcept = 0;

  /// Nothing comes any more: the request was dropped, or another listens.
  virtual void forgotten() noexcept = 0;

  /// True if it was told of something else already, such as the end of its time.
  virtual bool has_given_up() const noexcept = 0;

 protected:
  ~response_listener() = default;
};

/// A call that nobody need wait for: it keeps its own response until somebody takes it.
///
/// The slot of a usual call belongs to the context of whoever waits. Here nobody may wait, and whoever does
/// later may do so anywhere, so that the slot is at home in the server's context: there the response
/// arrives, also when that context is destroyed. A wait is an operation of its own, which listens.
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

  /// True if a response is there, or may come.
  bool is_open() const noexcept {
    std::lock_guard lock(mutex_);
    return !is_taken_ && !is_dropped_;
  }

  /// Tells `one` of the response, now or when it comes; and another, who listened before, that it will not.
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

  /// The response, if it is there and was not taken; else one with neither value nor error.
  response<R> take() noexcept { return claim_response() ? deactivate() : response<R>(); }

  /// The same into the slot of one who waits, whose decision the caller has.
  void give_to(answer_slot<R>& slot) noexcept {
    if (claim_response()) {
      move_into(slot);
    } else {
      slot.write_error(no_request());
    }
  }

  /// Nobody wants the response any more: a late one is dropped. OTP's receive_response does it in the end.
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

  /// Its handle is gone: dropped, unless somebody waits, who drops it if his wait is in vain.
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

  /// What whoever waits for nothing is told: OTP's `no_request`.
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

/// The request with its message: one allocation. The slot's two halves have one reference together.
template <call_message M>
class pending_request final : public call_request<M>, public open_request<reply_t<M>>, public cached_memory {
  using reply = reply_t<M>;

 public:
  pending_request(envelope::opener how, M&& content, source_location where)
      : call_request<M>(how, std::move(content), where) {
    this->is_cancellable_ = true; // by whoever drops it, on any thread
  }
  ~pending_request() override = default;

  /// Sends it. The slot is at home with the server.
  void send_to(intrusive_ptr<server_core> to, duration patience) noexcept {
    server_core& target = *to;
    this->server = std::move(to);
    this->lane_ = target.get_lane().get();
    this->timeout = patience;
    this->add_ref();
    target.send_call(*this, turn::current());
  }

  /// It is not sent: this is the response.
  void refuse(std::exception_ptr error) noexcept {
    this->error_ = std::move(error);
    this->decide();
    this->respond();
  }
  void refuse(errc code, intrusive_ptr<server_core> by) noexcept {
    this->server = std::move(by);
    refuse(this->say(code));
  }

  /// The server's context is being destroyed, and nobody has answered.
  void abandon_waiting() noexcept override {
    if (this->decide()) {
      this->write_end(exit_reason::killed());
      this->respond();
      this->leave();
    }
  }

 private:
  // The answer has come to the server's context, or what is on the way there is thrown away with it.
  void run() override { conclude(); }
  void discard() noexcept override { conclude(); }
  void conclude() noexcept {
    this->stop_waiting();
    this->respond();
    this->leave();
  }

  void withdraw() noexcept override {
    if (!this->server || !this->lane_) {
      return; // it was never sent
    }
    context_guard inside(this->context());
    if (inside && this->decide()) { // else it has arrived, or will on the destruction of the context
      this->stop_waiting();
      this->leave();
    }
  }

  response<reply> deactivate() noexcept override {
    return this->error_ ? response<reply>(no_value(), std::move(this->error_))
                        : response<reply>(std::move(*this->value_));
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

// One who waits for a response.
template <class R>
class response_wait : public answer_slot<R>, public response_listener {
 public:
  response_wait(intrusive_ptr<open_request<R>> of, bool abandons) noexcept
      : request_(std::move(of)), abandons_(abandons) {}

  void response_came() noexcept override {
    reply_slot::claim won = this->try_claim();
    if (!won) {
      this->lose(); // the response stays where it is, for the next
      return;
    }
    is_answered_ = true;
    request_->give_to(*this);
    this->deliver_and_leave(won);
  }
  void forgotten() noexcept override {
    if (this->decided()) {
      this->leave();
    } else {
      this->fail(reply_slot::aborted());
    }
  }
  bool has_given_up() const noexcept override { return this->decided(); }

 protected:
  ~response_wait() = default;

  // Stands before that of reply_slot: `operation` calls it when the wait is over, whatever the cause.
  void stop_waiting() noexcept {
    reply_slot::stop_waiting();
    intrusive_ptr<open_request<R>> request = std::move(request_);
    if (request && !is_answered_ && (abandons_ || request->is_orphan())) {
      request->drop();
    }
  }

  std::string_view operation() const noexcept override { return "send_request"; }
  std::string_view message() const noexcept override {
    return request_ ? request_->content_type() : std::string_view();
  }

 private:
  intrusive_ptr<open_request<R>> request_;
  bool abandons_;
  bool is_answered_ = false;
};

template <class R, bool Boxed>
class initiate_wait : public initiation {
 public:
  initiate_wait(intrusive_ptr<open_request<R>> of, duration patience, bool abandons) noexcept
      : request_(std::move(of)), timeout_(patience), abandons_(abandons) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using waiting = operation<response_wait<R>, R, std::decay_t<Handler>, Boxed>;
    intrusive_ptr<open_request<R>> request = request_; // this object may be gone before the end
    duration patience = timeout_;
    intrusive_ptr<server_core> server;
    if (request && request->asked()) {
      server = intrusive_ptr<server_core>(static_cast<server_core*>(request->asked().get()));
    }
    fallback otherwise(handler, server);
    auto* wait = waiting::make(
        std::forward<Handler>(handler), otherwise.executor(), turn::current(), request, abandons_);
    if (!wait) {
      return;
    }
    wait->timeout = patience;
    wait->server = server;
    if (!request || !request->is_open()) {
      wait->fail(open_request<R>::no_request());
    } else if (request->is_ready()) {
      wait->response_came();
    } else if (wait->is_inside(*server)) {
      wait->fail(errc::calling_self);
    } else if (patience < duration::zero()) {
      wait->fail(errc::timeout);
    } else if (!wait->context().enroll(*wait)) {
      wait->abandon_waiting();
      wait->leave();
    } else {
      request->listen(*wait);
    }
  }

 private:
  intrusive_ptr<open_request<R>> request_;
  duration timeout_;
  bool abandons_;
};

template <class R>
asio::awaitable<R> wait_boxed(intrusive_ptr<open_request<R>> of, duration timeout, bool abandons) {
  using box = std::unique_ptr<R>;
  box value = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, box)>(
      initiate_wait<R, true>(std::move(of), timeout, abandons), asio::use_awaitable);
  co_return std::move(*value);
}

template <class R, class Token>
auto start_wait(intrusive_ptr<open_request<R>> of, duration timeout, bool abandons, Token&& token) {
  static_assert(check_token<R, Token>());
  if constexpr (is_boxed<R, Token>) {
    return wait_boxed<R>(std::move(of), timeout, abandons);
  } else {
    return asio::async_initiate<Token, completion_signature_t<R>>(
        initiate_wait<R, false>(std::move(of), timeout, abandons), token);
  }
}

} // namespace detail

/// A request that was sent, and its answer when that has come. OTP's `request_id()`.
///
/// Destroying or overwriting it abandons the request: the server still handles it, and its answer reaches
/// nobody. A wait that is in progress goes on all the same, and abandons the request if it is in vain.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe; one wait at a time. A second one ends the first with
/// `asio::error::operation_aborted`.
///
/// @par Lifetime
/// May outlive the server, its context, and that in which the request was sent. While a request is neither
/// answered nor abandoned, it counts as work of the server's context.
template <class Reply>
class request_handle {
 public:
  using reply_type = Reply;

  /// Refers to no request.
  request_handle() noexcept = default;

  // Made by the library.
  explicit request_handle(detail::intrusive_ptr<detail::open_request<Reply>> request) noexcept
      : request_(std::move(request)) {}

  request_handle(request_handle&& other) noexcept = default;
  request_handle& operator=(request_handle&& other) noexcept {
    if (this != &other) {
      abandon();
      request_ = std::move(other.request_);
    }
    return *this;
  }
  ~request_handle() { abandon(); }

  /// Returns true if there is an answer to wait for, or to be taken.
  bool is_open() const noexcept { return request_ && request_->is_open(); }

  /// Waits for the answer; when the time is over the request stays, and can be waited for again. OTP's
  /// `gen_server:wait_response/2`.
  ///
  /// @param timeout  How long. For ever where nothing is said. Zero takes an answer that is there at once.
  /// @param token    How the answer is told.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, Reply)`; for `void`, `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::timeout`: no answer in time.
  /// - what a `call` may end with: `no_process`, `exited`, `no_reply`, `bad_message`, and any exception
  ///   that the handler answers with. Then the request is over.
  /// - `errc::calling_self`: a handler cannot wait for its own server.
  /// - `std::logic_error`: there is no request, or its answer was taken. OTP's `no_request`.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the request stays.
  ///
  /// @par Thread safety
  /// Distinct handles: safe.
  ///
  /// @par Lifetime
  /// The wait keeps what it needs of the handle.
  ///
  /// @par Example
  /// @code
  /// auto request = otpp::send_request<kv::get>(server, "key");
  /// do_something_else();
  /// std::string value = co_await request.wait(100ms);
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto wait(Token&& token = {}) {
    return detail::start_wait<Reply>(request_, infinite, false, std::forward<Token>(token));
  }
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto wait(Duration timeout, Token&& token = {}) {
    return detail::start_wait<Reply>(request_, detail::saturate(timeout), false, std::forward<Token>(token));
  }

  /// Waits for the answer for the last time: when the time is over, or the wait is cancelled, the request
  /// is abandoned. OTP's `gen_server:receive_response/1,2`. All else as `wait`.
  ///
  /// @par Completion signature
  /// As `wait`.
  ///
  /// @par Errors
  /// As `wait`.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`, and abandon the request.
  ///
  /// @par Thread safety
  /// As `wait`.
  ///
  /// @par Lifetime
  /// As `wait`.
  ///
  /// @par Example
  /// @code
  /// std::string value = co_await request.receive(100ms);
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto receive(Token&& token = {}) {
    return detail::start_wait<Reply>(request_, infinite, true, std::forward<Token>(token));
  }
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto receive(Duration timeout, Token&& token = {}) {
    return detail::start_wait<Reply>(request_, detail::saturate(timeout), true, std::forward<Token>(token));
  }

  /// Takes the answer if it is there: a value or an error. Never waits. OTP's
  /// `gen_server:check_response/2`.
  std::optional<response<Reply>> poll() noexcept {
    if (!request_ || !request_->is_ready() || !request_->is_open()) {
      return std::nullopt;
    }
    return request_->take();
  }

  /// Abandons the request: a late answer reaches nobody.
  void abandon() noexcept {
    if (request_) {
      std::exchange(request_, {})->orphan();
    }
  }

  /// Gives the request away, for the library's own containers.
  detail::intrusive_ptr<detail::open_request<Reply>> release() && noexcept {
    return std::exchange(request_, {});
  }

 private:
  detail::intrusive_ptr<detail::open_request<Reply>> request_;
};

namespace detail {

/// A request that has all its memory, and was not sent yet.
template <call_message M>
class ready_request {
 public:
  template <class Address>
  ready_request(Address&& to, M&& content)
      : target_(find<server_core::verb::call, M>(std::forward<Address>(to))),
        request_(new pending_request<M>(target_.open, std::move(content), target_.where)) {}

  /// Whom it goes to; or null.
  const intrusive_ptr<server_core>& server() const noexcept { return target_.server; }

  void refuse(errc code) noexcept { request_->refuse(code, std::move(target_.server)); }

  /// Sends it, unless it was refused.
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

template <class M, class Address>
request_handle<reply_t<M>> make_request(Address&& to, duration timeout, M&& content) {
  ready_request<M> made(std::forward<Address>(to), std::move(content));
  return request_handle<reply_t<M>>(std::move(made).send(timeout));
}

template <class M, class Address, class Make>
auto request_if_possible(Address&& to, duration timeout, Make make) {
  using address_type = std::decay_t<Address>;
  static_assert(check_sent<server_core::verb::call, M, address_type>());
  if constexpr (can_be_sent<server_core::verb::call, M, address_type>()) {
    return make_request<M>(address_type(std::forward<Address>(to)), timeout, make());
  }
}

template <class M, class Address, class... Args>
auto request_in_place(Address&& to, duration timeout, Args&&... args) {
  static_assert(makes<M, Args...>, "otpp: the message cannot be made from these arguments");
  if constexpr (makes<M, Args...>) {
    return request_if_possible<M>(
        std::forward<Address>(to), timeout, [&] { return make_message<M>(std::forward<Args>(args)...); });
  }
}

} // namespace detail

/// Asks a server without waiting; builds the message in place. OTP's `gen_server:send_request/2`.
///
/// The message goes to the end of the server's mailbox, as that of a `call`. The answer stays with the
/// returned handle until it is waited for or taken; it comes in any case, also when the server or its context
/// ends. Nothing here waits: in a mailbox with a limit the request stands in line.
///
/// @param to    Whom to ask: a `server_ref`, a `server_name`, or a string.
/// @param args  What the message is made of.
/// @return a `request_handle<Message::reply_type>`.
///
/// @par Errors
/// What the making of the message throws, and `std::bad_alloc`. Everything else, an unknown name too, is the
/// response.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Lifetime
/// As `call`.
///
/// @par Example
/// @code
/// auto first = otpp::send_request<shop::price>(here, "tea");
/// auto second = otpp::send_request<shop::price>(there, "tea");
/// int cheaper = co_await first.receive(1s);
/// int dearer = co_await second.receive(1s);
/// @endcode
///
/// @see request_set for many at once, whichever answers first; multi_call for one question to many.
template <class Message, address Address, class... Args>
auto send_request(Address to, Args&&... args) {
  return detail::request_in_place<Message>(std::move(to), infinite, std::forward<Args>(args)...);
}

/// As above, with a message that is made already.
template <address Address, class Message>
auto send_request(Address to, Message&& message) {
  using M = std::decay_t<Message>;
  static_assert(detail::check_temporary<Message, asio::use_awaitable_t<>>()); // it may be awaited at once
  return detail::request_if_possible<M>(
      std::move(to), infinite, [&] { return M(std::forward<Message>(message)); });
}

/// As above, with a time after which the response is `errc::timeout`, whether anybody waits or not. It is
/// measured in the server's context; a wait has a time of its own.
template <address Address, class Message, detail::timeout_like Duration>
auto send_request(Address to, Message&& message, Duration timeout) {
  using M = std::decay_t<Message>;
  static_assert(detail::check_temporary<Message, asio::use_awaitable_t<>>()); // it may be awaited at once
  return detail::request_if_possible<M>(
      std::move(to), detail::saturate(timeout), [&] { return M(std::forward<Message>(message)); });
}

} // namespace otpp
