// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/request/response.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/use_awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otpp {

/// What `request_set::next` returns: which request it was, and what came of it. Has constructors, so that it
/// is no aggregate.
template <class Label, class Reply>
struct labelled_response {
  labelled_response() = default;
  labelled_response(Label&& of, response<Reply>&& what) noexcept
      : label(std::move(of)), answer(std::move(what)) {}

  Label label;
  response<Reply> answer;
};

namespace detail {

template <class Label, class Reply>
class set_wait : public answer_slot<labelled_response<Label, Reply>> {
 public:
  // Nobody will tell it anything any more.
  void dismiss() noexcept {
    if (this->decided()) {
      this->leave();
    } else {
      this->fail(reply_slot::aborted());
    }
  }

  static std::exception_ptr empty() noexcept {
    try {
      return std::make_exception_ptr(
          std::logic_error("otpp: request_set::next, and there is no request in the set"));
    } catch (...) {
      return std::current_exception();
    }
  }

 protected:
  ~set_wait() = default;
  std::string_view operation() const noexcept override { return "request_set::next"; }
};

/// The requests of a set, and who waits for the next of them.
///
/// Each entry has a reference from the list and one from its request, which tells it of the response. The
/// lock is held for pointer work; a response is taken by whoever has taken its entry out of the list.
template <class Label, class Reply>
class set_state : public counted<set_state<Label, Reply>> {
 public:
  using wait = set_wait<Label, Reply>;

  ~set_state() { clear(); }

  void add(Label&& label, intrusive_ptr<open_request<Reply>> request) {
    intrusive_ptr<entry> added;
    try {
      added = intrusive_ptr<entry>(new entry(std::move(label), request, *this));
    } catch (...) {
      request->drop();
      throw;
    }
    {
      std::lock_guard lock(mutex_);
      list(*added);
    }
    added->add_ref(); // the list's
    added->add_ref(); // the request's
    added->request->listen(*added);
  }

  std::size_t size() const noexcept {
    std::lock_guard lock(mutex_);
    return size_;
  }

  bool has_ready() const noexcept {
    std::lock_guard lock(mutex_);
    return first_ready_ != nullptr;
  }

  /// Gives the next response to `one`, whose server half it takes. At once, if there is one.
  void serve_next(wait& one) noexcept {
    wait* before = nullptr;
    {
      std::lock_guard lock(mutex_);
      before = std::exchange(waiter_, &one);
    }
    if (before) {
      before->dismiss();
    }
    serve();
  }

  /// Abandons all requests, and ends the wait.
  void clear() noexcept {
    wait* waiting = nullptr;
    entry* left = nullptr;
    {
      std::lock_guard lock(mutex_);
      waiting = std::exchange(waiter_, nullptr);
      left = std::exchange(first_, nullptr);
      last_ = first_ready_ = last_ready_ = nullptr;
      size_ = 0;
      for (entry* one = left; one; one = one->next) {
        one->is_listed = false;
      }
    }
    while (left) {
      entry* one = std::exchange(left, left->next);
      one->request->drop();
      one->release();
    }
    if (waiting) {
      waiting->dismiss();
    }
  }

 private:
  struct entry final : response_listener, counted<entry> {
    entry(Label&& text, intrusive_ptr<open_request<Reply>> of, set_state& in) noexcept
        : label(std::move(text)), request(std::move(of)), set(&in) {}

    void response_came() noexcept override {
      set->came(*this);
      this->release();
    }
    void forgotten() noexcept override { this->release(); }
    bool has_given_up() const noexcept override { return false; }

    Label label;
    const intrusive_ptr<open_request<Reply>> request;
    const intrusive_ptr<set_state> set;
    // Under the set's lock.
    entry* next = nullptr;
    entry* before = nullptr;
    entry* next_ready = nullptr;
    bool is_listed = false;
  };

  void came(entry& one) noexcept {
    {
      std::lock_guard lock(mutex_);
      if (!one.is_listed) {
        return;
      }
      (first_ready_ ? last_ready_->next_ready : first_ready_) = &one;
      last_ready_ = &one;
    }
    serve();
  }

  // Brings together who waits and what is there.
  void serve() noexcept {
    wait* who = nullptr;
    entry* what = nullptr;
    reply_slot::claim won;
    {
      std::lock_guard lock(mutex_);
      if (!waiter_ || !first_ready_) {
        return;
      }
      who = std::exchange(waiter_, nullptr);
      won = who->try_claim();
      if (won) {
        what = std::exchange(first_ready_, first_ready_->next_ready);
        unlist(*what);
      }
    }
    if (!won) {
      who->lose(); // the response stays for the next who waits
      return;
    }
    who->emplace(std::move(what->label), what->request->take());
    who->deliver_and_leave(won);
    what->release();
  }

  void list(entry& one) noexcept {
    one.is_listed = true;
    one.before = last_;
    (last_ ? last_->next : first_) = &one;
    last_ = &one;
    ++size_;
  }

  void unlist(entry& one) noexcept {
    one.is_listed = false;
    (one.before ? one.before->next : first_) = one.next;
    (one.next ? one.next->before : last_) = one.before;
    --size_;
  }

  mutable spin_mutex mutex_;
  wait* waiter_ = nullptr; // its server half
  entry* first_ = nullptr;
  entry* last_ = nullptr;
  entry* first_ready_ = nullptr;
  entry* last_ready_ = nullptr;
  std::size_t size_ = 0;
};

template <class Label, class Reply>
class initiate_next : public initiation {
 public:
  initiate_next(intrusive_ptr<set_state<Label, Reply>> of, duration patience) noexcept
      : set_(std::move(of)), timeout_(patience) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using waiting = operation<set_wait<Label, Reply>, labelled_response<Label, Reply>, std::decay_t<Handler>>;
    intrusive_ptr<set_state<Label, Reply>> set = set_;
    duration patience = timeout_;
    fallback otherwise(handler, intrusive_ptr<server_core>());
    auto* wait = waiting::make(std::forward<Handler>(handler), otherwise.executor(), turn::current());
    if (!wait) {
      return;
    }
    wait->timeout = patience;
    if (set->size() == 0) {
      wait->fail(waiting::empty());
    } else if (set->has_ready()) {
      set->serve_next(*wait);
    } else if (patience < duration::zero()) {
      wait->fail(errc::timeout);
    } else if (!wait->context().enroll(*wait)) {
      wait->abandon_waiting();
      wait->leave();
    } else {
      set->serve_next(*wait);
    }
  }

 private:
  intrusive_ptr<set_state<Label, Reply>> set_;
  duration timeout_;
};

} // namespace detail

/// Requests that were sent, each with a label; whichever is answered first comes first. OTP's
/// `request_id_collection()`.
///
/// Destroying it abandons the requests that are in it, and ends a wait with
/// `asio::error::operation_aborted`.
///
/// @tparam Label  What a request is called; its move must not throw.
/// @tparam Reply  The `reply_type` that the requests have in common.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe; one `next` at a time. A second one ends the first with
/// `asio::error::operation_aborted`.
///
/// @par Lifetime
/// May outlive the servers and their contexts.
///
/// @par Example
/// @code
/// otpp::request_set<std::string, int> prices;
/// for (const auto& shop : shops) {
///   prices.add(shop.name, otpp::send_request<price>(shop.server, "tea"));
/// }
/// while (!prices.empty()) {
///   auto next = co_await prices.next();
///   offer(next.label, next.answer.value()); // which throws what went wrong
/// }
/// @endcode
template <class Label, class Reply>
class request_set {
  static_assert(
      std::is_nothrow_move_constructible_v<Label>, "otpp: the move of a request_set's label must not throw");
  using state = detail::set_state<Label, Reply>;

 public:
  using label_type = Label;
  using reply_type = Reply;
  using value_type = labelled_response<Label, Reply>;

  request_set() : state_(new state) {}
  request_set(request_set&& other) noexcept = default;
  request_set& operator=(request_set&& other) noexcept {
    if (this != &other) {
      clear();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~request_set() { clear(); }

  /// Puts a request in. Throws std::invalid_argument for a handle without a request; without memory
  /// std::bad_alloc, and then the request is abandoned. Two requests may have the same label.
  template <std::convertible_to<Label> L>
  void add(L&& label, request_handle<Reply>&& request) {
    if (!request.is_open()) {
      throw std::invalid_argument("otpp: request_set::add needs a request whose answer was not taken");
    }
    state_->add(Label(std::forward<L>(label)), std::move(request).release());
  }

  /// Returns how many requests are in it: those whose response was not yet returned by `next`.
  std::size_t size() const noexcept { return state_ ? state_->size() : 0; }
  bool empty() const noexcept { return size() == 0; }

  /// Abandons all requests.
  void clear() noexcept {
    if (state_) {
      state_->clear();
    }
  }

  /// Waits for the next response, takes its request out of the set, and returns it with its label: an answer
  /// or the error in its place. Those that are there come at once, in the order in which they came. OTP's
  /// `gen_server:wait_response/3`, with `Delete`.
  ///
  /// @param timeout  How long to wait. For ever where nothing is said; zero takes what is there at once.
  /// @param token    How the response is told.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, otpp::labelled_response<Label, Reply>)`
  ///
  /// @par Errors
  /// - `errc::timeout`: no response in time. All requests stay in the set.
  /// - `std::logic_error`: the set is empty. OTP's `no_request`.
  ///
  /// The error of a request is no error of `next`: it is in the response, with the label. A handler that waits
  /// for its own server's answer here waits in vain.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`. All requests stay in the set.
  ///
  /// @par Thread safety
  /// Distinct sets: safe.
  ///
  /// @par Lifetime
  /// As for the set.
  ///
  /// @par Example
  /// @code
  /// auto next = co_await prices.next(1s);
  /// if (next.answer.has_value()) {
  ///   std::cout << next.label << ": " << next.answer.value() << '\n';
  /// }
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto next(Token&& token = {}) {
    return next(infinite, std::forward<Token>(token));
  }
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto next(Duration timeout, Token&& token = {}) {
    static_assert(detail::check_token<value_type, Token>());
    return asio::async_initiate<Token, void(std::exception_ptr, value_type)>(
        detail::initiate_next<Label, Reply>(state_, detail::saturate(timeout)), token);
  }

 private:
  detail::intrusive_ptr<state> state_;
};

} // namespace otpp
