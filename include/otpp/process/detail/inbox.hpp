// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_fifo.hpp>
#include <otpp/process/exit.hpp>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The mailbox of a process that is one coroutine. All functions run on the process's serial executor.
class inbox final : public receiver {
 public:
  // A wait in receive(), without the types of the messages that it waits for.
  class waiting {
   public:
    enum class opinion { no, yes, stale }; // stale: a library message that is no longer valid

    virtual opinion fits(const envelope& item) const noexcept = 0;

    // Takes the message, and releases the server half. Returns false if the wait was over; the caller then
    // still owns the message.
    virtual bool take(envelope& item) noexcept = 0;

    // Releases the server half, whether the wait is over or not.
    virtual void end_waiting() noexcept = 0;

    virtual bool is_over() const noexcept = 0;

    waiting* next = nullptr; // set by the inbox

   protected:
    ~waiting() = default;
  };

  explicit inbox(server_core& owner) : owner_(owner) {
    relations::of(owner_).body = this;
    owner_.open_at_once();
    owner_.queue().let_pass(mailbox::passing::all); // so that a full mailbox keeps no news from the body
  }
  inbox(const inbox&) = delete;
  inbox& operator=(const inbox&) = delete;
  ~inbox() {
    owner_.related()->body = nullptr;
    end_all();
  }

  server_core& owner() const noexcept { return owner_; }

  // Takes out the first message in the mailbox that matches, and returns it; else returns null.
  envelope* take_first_for(const waiting& one) noexcept {
    while (true) {
      auto opinion = waiting::opinion::no;
      envelope* found = owner_.queue().take_first([&](const envelope& item) {
        opinion = one.fits(item);
        return opinion != waiting::opinion::no;
      });
      if (!found || opinion == waiting::opinion::yes) {
        return found;
      }
      found->discard_message();
    }
  }

  // Adds a wait behind the others, as in `receive<a>() || receive<b>()`. Precondition: the mailbox has no
  // message for it.
  void wait(waiting& one) noexcept {
    end_those_over();
    waits_.push_back(one);
  }

  bool wants(const envelope& item) const noexcept override {
    return item.is_system || waits_.any([&](const waiting& one) {
      return !one.is_over() && one.fits(item) != waiting::opinion::no;
    });
  }

  void accept(envelope& item) noexcept override {
    if (auto* stop = dynamic_cast<stop_request*>(&item)) {
      stop->open(owner_);
      try {
        owner_.cancel_job();
      } catch (...) {
        // There was no memory to cancel the body; the process ends when the body has completed.
      }
      return;
    }
    if (item.is_system && !dynamic_cast<plain_message<exit_signal>*>(&item)) {
      item.open(owner_);
      return;
    }
    bool takes_place = item.counted;
    if (!give(item)) {
      owner_.queue().put_aside(item);
    } else if (takes_place) {
      owner_.queue().free_place();
    }
  }

  void on_context_destroyed() noexcept override { end_all(); }

 private:
  // Gives the message to the first wait that it matches. Returns false if there is none.
  bool give(envelope& item) noexcept {
    bool is_stale = false;
    auto is_wanted_by = [&](const waiting& one) {
      auto opinion = is_stale || one.is_over() ? waiting::opinion::no : one.fits(item);
      is_stale = is_stale || opinion == waiting::opinion::stale;
      return opinion == waiting::opinion::yes;
    };
    while (waiting* one = waits_.take_first(is_wanted_by)) {
      if (one->take(item)) {
        return true;
      }
    }
    if (is_stale) {
      item.discard_message();
    }
    return is_stale;
  }

  // Waits that a timeout or a cancellation has ended stay in the list until the next wait is added.
  void end_those_over() noexcept {
    while (waiting* one = waits_.take_first([](const waiting& each) { return each.is_over(); })) {
      one->end_waiting();
    }
  }

  void end_all() noexcept {
    while (waiting* one = waits_.pop_front()) {
      one->end_waiting();
    }
  }

  server_core& owner_;
  intrusive_fifo<waiting> waits_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
