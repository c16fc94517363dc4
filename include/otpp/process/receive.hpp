// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/stop.hpp>
#include <otpp/message.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_awaitable.hpp>

#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace otpp {

namespace detail {

// The mailbox of a process that is one coroutine. All of it runs on the process's serial executor.
class inbox final : public server_core::receiver {
 public:
  // One who waits in receive(), without the type of what it waits for.
  class waiting {
   public:
    enum class opinion { no, yes, stale }; // stale: it is of the library, and has lost its meaning

    virtual opinion fits(const envelope& item) const noexcept = 0;
    /// False if the wait is over. After a true, take() must follow.
    virtual bool claim() noexcept = 0;
    virtual void take(envelope& item) noexcept = 0;
    virtual void leave_waiting() noexcept = 0;
    virtual void abandon_now() noexcept = 0;

   protected:
    ~waiting() = default;
  };

  explicit inbox(server_core& owner) : owner_(owner) {
    owner_.expect_relations();
    owner_.receive_with(this);
  }
  inbox(const inbox&) = delete;
  inbox& operator=(const inbox&) = delete;
  ~inbox() {
    owner_.receive_with(nullptr);
    forget();
  }

  server_core& owner() const noexcept { return owner_; }

  /// Makes `one` the one who waits, or gives it what has come already.
  void wait(waiting& one) noexcept {
    forget(); // it has given up, by a timeout or a cancellation
    waiting_ = &one;
    while (waiting_) {
      auto opinion = waiting::opinion::no;
      envelope* found = owner_.take_first([&](const envelope& item) {
        opinion = waiting_ ? waiting_->fits(item) : waiting::opinion::no;
        return is_taken(opinion);
      });
      if (!found) {
        return;
      }
      finish(*found, opinion);
    }
  }

  void accept(envelope& item) noexcept override {
    if (auto* stop = dynamic_cast<stop_request*>(&item)) {
      stop->open(owner_);
      try {
        owner_.cancel_job();
      } catch (...) {
        // There was no memory to ask the body to end: it ends when it has done.
      }
      return;
    }
    if (item.is_system && !dynamic_cast<plain_message<exit_signal>*>(&item)) {
      item.open(owner_);
      return;
    }
    auto opinion = waiting_ ? waiting_->fits(item) : waiting::opinion::no;
    if (is_taken(opinion)) {
      finish(item, opinion);
    } else {
      owner_.put_aside(item);
    }
  }

  void give_up() noexcept override {
    if (waiting_) {
      std::exchange(waiting_, nullptr)->abandon_now();
    }
  }

 private:
  // True if the message is not to stay where it is. Claims the wait where it fits.
  bool is_taken(waiting::opinion opinion) noexcept {
    if (opinion == waiting::opinion::yes && !waiting_->claim()) {
      forget();
      return false;
    }
    return opinion != waiting::opinion::no;
  }

  void finish(envelope& item, waiting::opinion opinion) noexcept {
    if (opinion == waiting::opinion::stale) {
      item.abandon();
    } else {
      std::exchange(waiting_, nullptr)->take(item);
    }
  }

  void forget() noexcept {
    if (waiting_) {
      std::exchange(waiting_, nullptr)->leave_waiting();
    }
  }

  server_core& owner_;
  waiting* waiting_ = nullptr;
};

// True if a message of the library has lost its meaning, because a link was cut or a monitor given up.
template <class M>
bool is_void([[maybe_unused]] const M& content) noexcept {
  if constexpr (std::is_same_v<M, down> || std::is_same_v<M, exit_signal>) {
    return content.is_void();
  } else {
    return false;
  }
}

template <class... M>
using received_t =
    std::conditional_t<sizeof...(M) == 1, std::tuple_element_t<0, std::tuple<M...>>, std::variant<M...>>;

// One who waits for a message of one of these types. The server half is the inbox's.
template <class... M>
class receive_request : public answer_slot<received_t<M...>>, public inbox::waiting {
 public:
  using opinion = inbox::waiting::opinion;

  opinion fits(const envelope& item) const noexcept override {
    opinion result = opinion::no;
    ((result = result == opinion::no ? fits_as<M>(item) : result), ...);
    return result;
  }

  bool claim() noexcept override {
    won_ = this->try_claim();
    return static_cast<bool>(won_);
  }

  void take(envelope& item) noexcept override {
    (take_as<M>(item), ...);
    item.abandon();
    this->deliver_and_leave(won_);
  }

  void leave_waiting() noexcept override { this->leave(); }
  void abandon_now() noexcept override {
    this->abandon_waiting();
    this->leave();
  }

 protected:
  ~receive_request() = default;
  std::string_view operation() const noexcept override { return "receive"; }
  std::string_view message() const noexcept override {
    return type_name<std::tuple_element_t<0, std::tuple<M...>>>();
  }

 private:
  template <class One>
  static opinion fits_as(const envelope& item) noexcept {
    auto* letter = dynamic_cast<const plain_message<One>*>(&item);
    if (!letter) {
      return opinion::no;
    }
    return is_void(letter->content()) ? opinion::stale : opinion::yes;
  }

  template <class One>
  void take_as(envelope& item) noexcept {
    if (auto* letter = dynamic_cast<plain_message<One>*>(&item)) {
      this->emplace(std::move(letter->content()));
    }
  }

  reply_slot::claim won_;
};

template <class... M>
struct initiate_receive : initiation {
  template <class Handler>
  void operator()(Handler&& handler, duration patience) {
    using request = operation<receive_request<M...>, received_t<M...>, std::decay_t<Handler>>;
    turn* here = turn::current();
    intrusive_ptr<server_core> process(here ? dynamic_cast<server_core*>(here->running()) : nullptr);
    inbox* box = process ? static_cast<inbox*>(process->receives_with()) : nullptr;
    asio::any_io_executor otherwise;
    if constexpr (!requires { typename std::decay_t<Handler>::executor_type; }) {
      otherwise = process ? asio::any_io_executor(serial_executor(*process))
                          : asio::any_io_executor(asio::system_executor());
    }
    auto* wait = request::make(std::forward<Handler>(handler), otherwise, here);
    if (!wait) {
      return;
    }
    if (!box) {
      wait->fail(make_error(
          errc::no_process, "receive outside the body of a process that otpp::spawn has started", {}, {}));
      return;
    }
    bool has_deadline = patience != infinite;
    wait->timeout = patience < duration::zero() ? duration::zero() : patience;
    if (has_deadline && !wait->context().enroll(*wait)) {
      wait->abandon_waiting();
      wait->leave();
      return;
    }
    box->wait(*wait);
  }
};

} // namespace detail

/// Waits for a message of one of these types, and returns it: of several types as a `std::variant`. Erlang's
/// `receive`.
///
/// The first that fits is taken; what is of another type stays in the mailbox, in its order, for a later
/// receive. To be awaited in the body of a process that `spawn` has started; one at a time.
///
/// @tparam M       The types of message: also `otpp::down` and `otpp::exit_signal`.
/// @param timeout  How long to wait. For ever by default. With zero, or less, only what is there already is taken.
/// @param token    A completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, M)`, or `void(std::exception_ptr, std::variant<M...>)`
///
/// @par Errors
/// - `errc::timeout`: none has come in time.
/// - `errc::no_process`: it is not such a body that asks.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`; no message is lost. So does `stop`, or an exit
/// signal, for the process.
///
/// @par Thread safety
/// It is about the process whose body this is.
///
/// @par Lifetime
/// The wait ends with the process.
///
/// @par Complexity
/// Linear in the messages that were passed over.
///
/// @par Example
/// @code
/// line next = co_await otpp::receive<line>();
/// std::variant<line, otpp::down> either = co_await otpp::receive<line, otpp::down>(1s);
/// @endcode
template <message... M, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  requires(sizeof...(M) > 0)
auto receive(Duration timeout, Token&& token = {}) {
  return asio::async_initiate<Token, detail::completion_signature_t<detail::received_t<M...>>>(
      detail::initiate_receive<M...>(), token, detail::saturate(timeout));
}
template <message... M, class Token = asio::use_awaitable_t<>>
  requires(sizeof...(M) > 0 && !detail::timeout_like<Token>)
auto receive(Token&& token = {}) {
  return otpp::receive<M...>(infinite, std::forward<Token>(token));
}

} // namespace otpp
