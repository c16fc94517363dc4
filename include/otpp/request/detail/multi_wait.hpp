// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/detail/reply/failure.hpp>
#include <otpp/request/detail/open_request.hpp>
#include <otpp/request/response.hpp>
#include <otpp/timeout.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class Range>
using element_t = std::remove_cvref_t<decltype(*std::begin(std::declval<Range&>()))>;

// Any number of addresses of one type.
template <class Range>
concept address_range = requires(Range& all) {
  std::begin(all);
  std::end(all);
} && address<element_t<Range>>;

// One question to several servers, and the wait for all their responses. The thread that receives the last one
// answers it.
template <class M>
class multi_wait : public answer_slot<std::vector<response<reply_t<M>>>>, public response_listener {
  using reply = reply_t<M>;

 public:
  // Allocates everything in advance.
  explicit multi_wait(std::size_t servers) {
    requests_.reserve(servers);
    responses_.reserve(servers);
  }

  void add(intrusive_ptr<open_request<reply>> one) noexcept { requests_.push_back(std::move(one)); }

  // Starts listening. The requests hold the server half together, and so does this function: the wait is
  // already registered, so it may end meanwhile.
  void begin() noexcept {
    missing_.store(requests_.size() + 1, std::memory_order_relaxed);
    for (const intrusive_ptr<open_request<reply>>& one : requests_) {
      one->listen(*this);
    }
    response_came();
  }

  void response_came() noexcept override {
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      this->answer();
    }
  }
  void on_discarded() noexcept override { response_came(); } // the wait has ended before
  bool is_over() const noexcept override { return this->decided(); }

  // The list of requests does not change from when the edge of this is set until it is cleared.
  bool visit_awaited(awaited_visitor& visit) const noexcept override {
    for (const intrusive_ptr<open_request<reply>>& one : requests_) {
      visit(one->asked(), this->is_sure() && one->is_certain_to_wait());
    }
    return false;
  }

  // Writes the error for the case that nothing was sent.
  void write_refusal(std::exception_ptr why) noexcept {
    has_failed_ = true;
    this->write_error(std::move(why));
  }

  void cancel() override {
    if (this->decide(slot_state::decision::cancellation)) {
      has_failed_ = true;
      this->error_ = reply_slot::aborted();
      this->deliver();
    }
  }

 protected:
  ~multi_wait() = default;

  // Hides that of reply_slot: `operation` calls it when the wait is over, for whatever reason. It collects
  // the responses, on the caller's executor. It leaves the list of requests as it is, because `begin` may still
  // be reading it.
  void stop_waiting() noexcept {
    reply_slot::stop_waiting();
    for (const intrusive_ptr<open_request<reply>>& one : requests_) {
      responses_.push_back(one->take());
      response<reply>& last = responses_.back();
      if (!last.has_value() && !last.error()) {
        one->abandon();
        last = access::make<response<reply>>(no_value(), late(*one));
      }
    }
    if (!has_failed_) {
      this->error_ = nullptr; // a timeout is reported in the responses that are missing
      this->emplace(std::move(responses_));
    }
  }

  std::string_view operation() const noexcept override { return "multi_call"; }
  std::string_view message() const noexcept override { return type_name<M>(); }

 private:
  std::exception_ptr late(const open_request<reply>& one) const noexcept {
    try {
      if (this->said_ != 0) {
        tell_failure(errc::timeout, operation(), message(), one.asked().get());
      }
      std::string whom = one.asked() ? one.asked()->describe() : std::string();
      return make_error(errc::timeout, operation(), message(), whom, exit_reason(), this->timeout);
    } catch (...) {
      return std::current_exception();
    }
  }

  std::vector<intrusive_ptr<open_request<reply>>> requests_;
  std::atomic<std::size_t> missing_{0};
  std::vector<response<reply>> responses_;
  bool has_failed_ = false;
};

template <class M, class Address>
class initiate_multi_call : public initiation {
 public:
  initiate_multi_call(std::vector<Address> to, duration patience) noexcept
      : to_(std::move(to)), timeout_(patience) {}

  template <class Handler>
  void operator()(Handler&& handler, M&& content) {
    using reply = reply_t<M>;
    using waiting = operation<multi_wait<M>, std::vector<response<reply>>, std::decay_t<Handler>>;
    std::vector<Address> to = std::move(to_); // this object may be destroyed before the end
    duration patience = timeout_;
    unregistered<waiting> wait = make_operation<waiting>(
        std::forward<Handler>(handler), asio::any_io_executor(asio::system_executor()), to.size());
    if (!wait) {
      return;
    }
    wait->timeout = patience < duration::zero() ? infinite : patience;
    std::vector<ready_request<M>> ready;
    try {
      ready.reserve(to.size());
      for (Address& one : to) {
        ready.emplace_back(std::move(one), M(std::as_const(content)));
      }
    } catch (...) {
      std::exception_ptr why = std::current_exception();
      complete(std::move(wait), [&](waiting& one) noexcept { one.write_refusal(std::move(why)); });
      return;
    }
    for (ready_request<M>& one : ready) {
      if (one.server() && wait->is_inside(*one.server())) {
        one.refuse(errc::calling_self);
      } else if (one.server()) {
        one.request()->aim_at(one.server());
      }
      wait->add(one.request());
    }
    process* from = patience > duration::zero() ? wait->waiting_handler() : nullptr;
    if (from) {
      wait->set_edge(*from);
    }
    for (ready_request<M>& one : ready) {
      if (from && one.server()) {
        auto give_up = [&]() noexcept { one.request()->give_up(); };
        if (std::exception_ptr why = deadlock_of_one(*wait, *one.server(), give_up)) {
          one.refuse(errc::deadlock, std::move(why));
        }
      }
      std::move(one).send(patience < duration::zero() ? patience : infinite);
    }
    if (server_half<waiting> half = register_wait(std::move(wait))) {
      half.release()->begin();
    }
  }

 private:
  std::vector<Address> to_;
  duration timeout_;
};

// Precondition: the message has been checked.
template <class M, class Range, class Token>
auto start_multi_call(const Range& addresses, duration timeout, M&& content, Token&& token) {
  using address_type = kept_address<element_t<const Range>>;
  std::vector<address_type> kept;
  for (const auto& one : addresses) {
    kept.emplace_back(one);
  }
  return initiate<std::vector<response<reply_t<M>>>>(
      initiate_multi_call<M, address_type>(std::move(kept), timeout), std::forward<Token>(token),
      std::move(content));
}

template <server_core::verb Verb, class M, class Range>
consteval bool check_sent_to_all() {
  static_assert(
      address_range<const Range>, "otpp: this takes a range of addresses, such as a std::vector of pids");
  if constexpr (!address_range<const Range>) {
    return false;
  } else {
    static_assert(
        std::copy_constructible<M>, "otpp: each server gets a copy, so that the message must be copyable");
    return check_sent<Verb, M, element_t<const Range>>() && std::copy_constructible<M>;
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
