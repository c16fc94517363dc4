// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_awaitable.hpp>

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

namespace core = otpp::detail;

// A wait of a probe: of its process until it is to end, or of the test until a message has come.
class probe_wait : public core::answer_slot<void> {
 protected:
  ~probe_wait() override = default;
  std::string_view operation() const noexcept override { return "expect"; }
};

// What a probe shares with its process: the messages that have come. The process's init runs as long as the
// process, so that all messages come here, and none to the callbacks.
class probe_core final : public core::receiver {
 public:
  using half = core::server_half<probe_wait>;
  using script = std::function<bool(core::envelope&)>; // takes it over, or returns false

  // ---- the process ----

  void begin(core::server_core& owner) {
    core::relations::of(owner).body = this;
    owner.open_at_once();
    owner.queue().let_pass(core::mailbox::passing::all);
    half waiting;
    {
      std::lock_guard lock(mutex_);
      owner_ = &owner;
      who = core::access::make<pid>(core::intrusive_ptr<core::server_core>(&owner));
      waiting = std::move(test_);
    }
    answer(waiting);
  }

  // The process ends, or could not be started.
  void end(std::exception_ptr why) noexcept {
    std::deque<core::envelope_ptr> left;
    half waiting;
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(has_ended_, true)) {
        return;
      }
      error = std::move(why);
      left.swap(kept_);
      waiting = std::move(test_);
    }
    if (owner_) {
      owner_->related()->body = nullptr;
      while (!left.empty()) {
        left.front().release()->fail_unhandled(*owner_, exit_reason::normal());
        left.pop_front();
      }
    }
    answer(waiting);
  }

  bool wants(const core::envelope&) const noexcept override { return true; }

  void accept(core::envelope& item) noexcept override {
    if (auto* stop = dynamic_cast<core::stop_request*>(&item)) {
      stop->open(*owner_);
      end_process();
      return;
    }
    if (item.is_system && !item.news()) { // a function of sys, which needs a state
      item.fail_unhandled(*owner_, exit_reason("a probe has no state"));
      return;
    }
    if (item.is_void()) {
      item.discard_message();
      return;
    }
    if (item.counted) {
      owner_->queue().free_place();
    }
    core::turn::current()->register_local(owner_); // others may answer it
    if (run_scripts(item)) {
      return;
    }
    half waiting;
    {
      std::lock_guard lock(mutex_);
      kept_.emplace_back(&item);
      waiting = std::move(test_);
    }
    answer(waiting);
  }

  void on_context_destroyed() noexcept override { end(nullptr); }

  // What the script of a message has thrown ends the process, as an exception of a handler.
  void fail(std::exception_ptr why) noexcept {
    owner_->request_end(exit_reason(std::move(why)));
    end_process();
  }

  // The process waits until it is to end.
  void lives(half one) noexcept { life_ = std::move(one); }

  // ---- the test ----

  void add(script one) {
    std::lock_guard lock(mutex_);
    auto more = std::make_shared<std::vector<script>>(*scripts_);
    more->push_back(std::move(one));
    scripts_ = std::move(more);
  }

  // The test waits until a message has come, or the process has ended.
  void waits(half one) noexcept {
    std::lock_guard lock(mutex_);
    test_ = std::move(one);
    if (!kept_.empty() || has_ended_ || (is_starting && owner_)) {
      answer(test_);
    }
  }

  // Calls `look` with the first message, or null, under the lock.
  template <class Look>
  auto look_at_first(Look look) {
    std::lock_guard lock(mutex_);
    return look(kept_.empty() ? nullptr : kept_.front().get());
  }

  // Takes out the message that the test has just looked at.
  core::envelope_ptr take_first() {
    std::lock_guard lock(mutex_);
    core::envelope_ptr first;
    if (!kept_.empty()) {
      first = std::move(kept_.front());
      kept_.pop_front();
    }
    return first;
  }

  bool has_ended_unlocked() const noexcept { return has_ended_; } // in look_at_first()
  bool has_ended() {
    std::lock_guard lock(mutex_);
    return has_ended_;
  }

  pid who; // once it has begun
  std::exception_ptr error;
  bool is_starting = true;       // the test waits for its begin
  std::vector<std::string> seen; // by the test: what it has taken

 private:
  static void answer(half& one) noexcept {
    if (one) {
      one.release()->answer();
    }
  }

  void end_process() noexcept {
    try {
      owner_->cancel_job();
    } catch (...) {
      // There was no memory to cancel it; its context ends it.
    }
  }

  // Not under the lock, as it is the user's code.
  bool run_scripts(core::envelope& item) {
    std::shared_ptr<const std::vector<script>> all;
    {
      std::lock_guard lock(mutex_);
      all = scripts_;
    }
    for (const script& one : *all) {
      if (one(item)) {
        return true;
      }
    }
    return false;
  }

  std::mutex mutex_;
  std::deque<core::envelope_ptr> kept_;
  std::shared_ptr<const std::vector<script>> scripts_ = std::make_shared<std::vector<script>>();
  half test_;
  half life_;
  core::server_core* owner_ = nullptr;
  bool has_ended_ = false;
};

// Registers a wait, and gives its server half to the core.
struct initiate_probe_wait : core::initiation {
  template <class Handler>
  void operator()(
      Handler&& handler, std::shared_ptr<probe_core> with,
      void (probe_core::*give)(probe_core::half) noexcept, duration patience) {
    using request = core::operation<probe_wait, void, std::decay_t<Handler>>;
    core::unregistered<request> wait = core::make_operation<request>(
        std::forward<Handler>(handler), asio::any_io_executor(asio::system_executor()));
    if (!wait) {
      return;
    }
    wait->timeout = patience;
    wait->is_work = patience != infinite;
    core::server_half<request> registered = core::register_wait(std::move(wait));
    if (registered) {
      (*with.*give)(probe_core::half(std::move(registered)));
    }
  }
};

inline asio::awaitable<void> wait_in_probe(
    std::shared_ptr<probe_core> with, void (probe_core::*give)(probe_core::half) noexcept,
    duration patience) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      initiate_probe_wait(), asio::use_awaitable, std::move(with), give, patience);
}

} // namespace otpp::testing::detail

#pragma GCC visibility pop
