// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/server/server_core.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Events, oldest first, linked as the messages of a mailbox are. It owns them.
class event_list {
 public:
  event_list() noexcept = default;
  event_list(event_list&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  event_list& operator=(event_list&&) = delete;
  ~event_list() {
    while (!empty()) {
      pop_front().discard_message();
    }
  }

  bool empty() const noexcept { return first_ == nullptr; }

  void push_back(envelope& item) noexcept {
    item.next = nullptr;
    if (first_) {
      last_->next = &item;
    } else {
      first_ = &item;
    }
    last_ = &item;
  }

  // Puts all of `others` in front.
  void push_front(event_list& others) noexcept {
    if (!others.empty()) {
      others.last_->next = first_;
      last_ = first_ ? last_ : others.last_;
      first_ = std::exchange(others.first_, nullptr);
    }
  }

  // Calls visit(envelope&) for each.
  template <class Visit>
  void for_each(Visit visit) const {
    for (envelope* item = first_; item; item = item->next_envelope()) {
      visit(*item);
    }
  }

  envelope& pop_front() noexcept {
    envelope& item = *first_;
    first_ = item.next_envelope();
    return item;
  }

 private:
  envelope* first_ = nullptr;
  envelope* last_ = nullptr; // valid only if first_ is set
};

// The events that a state machine handles before it looks into its mailbox, and those that it has postponed. Only its
// own loop uses them, or the destruction of its context.
//
//   mailbox -> handled -> postponed -> due -> handled      postponed: until the state changes
//   a handler's next_event -> due -> handled               in front of all that is due
class event_queue {
 public:
  // Keeps an event that its handler has postponed.
  void postpone(envelope& item) noexcept { postponed_.push_back(item); }

  // The state has changed: all that was postponed is due, in its order, before what was due already.
  void retry() noexcept { due_.push_front(postponed_); }

  // What a handler has inserted, before everything else.
  void insert(event_list& events) noexcept { due_.push_front(events); }

  bool is_due() const noexcept { return !due_.empty(); }
  bool has_postponed() const noexcept { return !postponed_.empty(); }
  envelope& take() noexcept { return due_.pop_front(); }

  // The machine ends: its mailbox, which is closed next, gets what is left, so that it is told of the end with the rest.
  // If that is closed already, whoever waits is told now.
  void leave_to(server_core& server) noexcept {
    due_.push_front(postponed_);
    while (is_due()) {
      envelope& item = take();
      if (server.queue().is_closed()) {
        item.fail_unhandled(server, server.end_reason());
      } else {
        server.queue().put_aside(item);
      }
    }
  }

 private:
  event_list due_;
  event_list postponed_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
