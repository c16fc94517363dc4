// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/post_message.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/message.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <concepts>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace otpp::detail {

// A message that is to be sent later, once or again and again.
//
// It is armed in the heap of one room. While it is alive, that is until it fires for the last time, is
// cancelled or loses its server, the heap and the server's list have one reference together. All that
// changes stands under the room's lock, but for the message and the address: those belong to whoever
// fires, from claim_expired() to the end of expire(), and to whoever ends it otherwise.
class timer_core : public deadline, public owned_timer, public counted<timer_core> {
 public:
  // Without an `owner` it lives as long as the room of the lane. A period of zero is none.
  timer_core(intrusive_ptr<lane> here, server_core* owner, duration period)
      : lane_(std::move(here)), owner_(owner), period_(period) {
    if (owner) {
      owner->expect_relations();
    }
  }
  ~timer_core() override = default;

  void start(moment first) noexcept {
    bool is_started = false;
    context_guard inside(context());
    if (inside) {
      auto at = context().when_over(first);
      context().arm_if(*this, at, *lane_, [&]() noexcept {
        is_started = !owner_ || owner_->keep(*this);
        if (is_started) {
          is_alive_ = true;
          at_ = at;
          add_ref();
        }
        return is_started;
      });
    }
    if (!is_started) {
      let_go();
    }
  }

  std::optional<duration> cancel() noexcept {
    context_guard inside(context());
    return inside ? end() : std::nullopt;
  }

  std::optional<duration> remaining() noexcept {
    context_guard inside(context());
    if (!inside) {
      return std::nullopt;
    }
    auto now = context().now();
    std::lock_guard lock(context().mutex());
    return is_alive_ ? std::optional(left_at(now)) : std::nullopt;
  }

 protected:
  // Sends the message. Once at a time, in no lock.
  virtual void deliver() noexcept = 0;

  // Destroys the message and the address.
  virtual void let_go() noexcept = 0;

 private:
  context_state& context() const noexcept { return lane_->context(); }

  duration left_at(time_point now) const noexcept { return (std::max)(at_ - now, duration::zero()); }

  // By who is inside the context.
  std::optional<duration> end() noexcept {
    std::optional<duration> left;
    bool is_ours = false;
    auto now = context().now();
    context().disarm_if(*this, [&]() noexcept {
      if (!is_alive_) {
        return false;
      }
      left = left_at(now);
      is_ours = !is_firing_; // else it is expire() that lets go
      unlist();
      return true;
    });
    if (left) {
      if (is_ours) {
        let_go();
      }
      release();
    }
    return left;
  }

  void unlist() noexcept {
    is_alive_ = false;
    if (owner_) {
      owner_->forget(*this);
    }
  }

  bool claim_expired() noexcept final {
    is_firing_ = true;
    if (period_ == duration::zero()) {
      unlist(); // and the reference goes to expire()
    } else {
      add_ref();
    }
    return true;
  }

  // In a turn of its context.
  void expire() noexcept final {
    deliver();
    bool is_armed = false;
    if (period_ != duration::zero()) {
      time_point next = next_after(context().now());
      context().arm_if(*this, next, *lane_, [&]() noexcept {
        is_firing_ = false;
        is_armed = is_alive_;
        at_ = next;
        return is_armed;
      });
    }
    if (!is_armed) {
      let_go();
    }
    release();
  }

  // It does not drift; ticks that are late by a whole period are left out, rather than sent in a burst.
  time_point next_after(time_point now) const noexcept {
    duration late = now - at_;
    duration ahead = late < period_ ? period_ : late - late % period_ + period_;
    return ahead > (time_point::max)() - at_ ? (time_point::max)() : at_ + ahead;
  }

  // Nobody cancels it any more: the gate is closed.
  void context_gone() noexcept final {
    is_alive_ = false;
    let_go();
    release();
  }

  void retain() noexcept final { add_ref(); }
  void server_ended() noexcept final {
    end();
    release();
  }

  const intrusive_ptr<lane> lane_;
  server_core* const owner_; // there as long as this is in its list
  const duration period_;
  time_point at_{};
  bool is_alive_ = false;
  bool is_firing_ = false;
};

// Where a timer's message goes when its time has come.
struct timer_goal {
  intrusive_ptr<server_core> server;
  envelope::opener open = nullptr;
};

template <class M, class Callbacks>
timer_goal goal_of(const server_ref<Callbacks>& to) noexcept {
  return {access::core(to), opener_of<server_core::verb::info, M, Callbacks>()};
}

template <class M, class Callbacks>
timer_goal goal_of(const server_name<Callbacks>& to) noexcept {
  timer_goal found{
      access::core((to.in() ? *to.in() : registry::global()).find(to.name())),
      opener_of<server_core::verb::info, M, Callbacks>()};
  if (found.server && found.server->callbacks_type_info() != typeid(Callbacks)) {
    found.server = {};
  }
  return found;
}

template <class M>
timer_goal goal_of(const std::string& to) noexcept {
  timer_goal found{access::core(registry::global().find(to))};
  if (found.server) {
    found.open = found.server->find_opener(server_core::verb::info, typeid(M));
  }
  return found;
}

template <class Address>
source_location place_of_address(const Address& to) noexcept {
  if constexpr (is_typed_address<Address>) {
    return to.where();
  } else {
    return {};
  }
}

// A timer with its types. One that fires once has its letter ready; an interval copies its message.
template <class M, class Address, bool Repeats>
class timer_of final : public timer_core, public cached_memory {
 public:
  template <class Content>
  timer_of(intrusive_ptr<lane> here, server_core* owner, duration period, Address to, Content&& content)
      : timer_core(std::move(here), owner, period), to_(std::move(to)), where_(place_of_address(*to_)) {
    if constexpr (Repeats) {
      kept_.emplace(std::forward<Content>(content));
    } else {
      kept_ = make(std::forward<Content>(content));
    }
  }
  ~timer_of() override = default;

 private:
  using letter = letter_ptr<M>;

  letter make(M&& content) const { return letter(new plain_message<M>(nullptr, std::move(content), where_)); }

  void deliver() noexcept override {
    timer_goal goal = goal_of<M>(*to_);
    if (!goal.server || !goal.open) {
      return;
    }
    if constexpr (Repeats) {
      try {
        post(goal, make(M(*kept_)));
      } catch (...) {
        // No copy, no tick: there is nobody to tell.
      }
    } else {
      post(goal, std::move(kept_));
    }
  }

  static void post(const timer_goal& goal, letter what) noexcept {
    what->opens_by(goal.open);
    if (goal.server->template send<&mailbox::push_library_message>(*what) == mailbox::result::taken) {
      what.release();
    }
  }

  void let_go() noexcept override {
    kept_.reset();
    to_.reset();
  }

  std::optional<Address> to_;
  source_location where_;
  std::conditional_t<Repeats, std::optional<M>, letter> kept_;
};

// Where a timer for a name lives: with whoever arms it, or with the server that has the name now.
template <class M, class Address>
intrusive_ptr<lane> lane_for_timer(const Address& to) {
  if (turn* here = turn::current()) {
    return intrusive_ptr<lane>(&here->here());
  }
  timer_goal goal = goal_of<M>(to);
  if (!goal.server) {
    std::rethrow_exception(
        make_error(errc::no_process, "a timer, which is set outside of every context,", type_name<M>(), {}));
  }
  return goal.server->get_lane();
}

template <bool Repeats, class M, class Address>
intrusive_ptr<timer_core> make_timer(moment first, duration period, Address to, M&& content) {
  using timer = timer_of<M, Address, Repeats>;
  intrusive_ptr<lane> here;
  server_core* owner = nullptr;
  if constexpr (is_server_ref<Address>) {
    owner = access::core(to).get(); // which `to` keeps
    if (!owner) {
      std::rethrow_exception(make_error(errc::no_process, "a timer", type_name<M>(), "nobody"));
    }
    here = owner->get_lane();
  } else {
    here = lane_for_timer<M>(to);
  }
  intrusive_ptr<timer_core> made(
      new timer(std::move(here), owner, period, std::move(to), std::forward<M>(content)));
  made->start(first);
  return made;
}

template <bool Repeats, class M, class Address, class Make>
intrusive_ptr<timer_core> set_timer(moment first, duration period, Address&& to, Make make) {
  using address_type = std::decay_t<Address>;
  static_assert(check_sent<server_core::verb::info, M, address_type>());
  static_assert(
      !Repeats || std::copy_constructible<M>,
      "otpp: send_interval sends a copy each time, so that its message must be copyable");
  if constexpr (
      can_be_sent<server_core::verb::info, M, address_type>() && (!Repeats || std::copy_constructible<M>)) {
    if (Repeats && period <= duration::zero()) {
      throw std::invalid_argument("otpp: send_interval needs a period that is longer than zero");
    }
    return make_timer<Repeats, M>(
        first, period, kept_address<address_type>(std::forward<Address>(to)), make());
  } else {
    return intrusive_ptr<timer_core>();
  }
}

template <bool Repeats, class M, class Address, class... Args>
intrusive_ptr<timer_core> set_timer_in_place(moment first, duration period, Address&& to, Args&&... args) {
  static_assert(makes<M, Args...>, "otpp: the message cannot be made from these arguments");
  return set_timer<Repeats, M>(first, period, std::forward<Address>(to), [&]() -> M {
    if constexpr (makes<M, Args...>) {
      return make_message<M>(std::forward<Args>(args)...);
    } else {
      std::terminate(); // never: the compiler has said why
    }
  });
}

template <bool Repeats, class Address, class Message>
intrusive_ptr<timer_core> set_timer_with(moment first, duration period, Address&& to, Message&& content) {
  using M = std::decay_t<Message>;
  return set_timer<Repeats, M>(
      first, period, std::forward<Address>(to), [&] { return M(std::forward<Message>(content)); });
}

} // namespace otpp::detail
