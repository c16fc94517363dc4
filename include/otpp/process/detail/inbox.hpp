// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/gen_server/stop.hpp>
#include <otpp/process/exit.hpp>

#include <utility>

namespace otpp::detail {

// The mailbox of a process that is one coroutine. All of it runs on the process's serial executor.
class inbox final : public server_core::receiver {
 public:
  // One who waits in receive(), without the type of what it waits for.
  class waiting {
   public:
    enum class opinion { no, yes, stale }; // stale: it is of the library, and has lost its meaning

    virtual opinion fits(const envelope& item) const noexcept = 0;
    // False if the wait is over. After a true, take() must follow.
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

  // Makes `one` the one who waits, or gives it what has come already.
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

} // namespace otpp::detail
