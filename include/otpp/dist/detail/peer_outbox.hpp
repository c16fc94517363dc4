// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/outbound_calls.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/dist/node_options.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/process/co_spawn.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/this_coro.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a process that stands for one elsewhere sends to its node. If there is no connection, it connects, and keeps what comes
// meanwhile in order. It belongs to the state of that process, and is used on its executor.
//
//   idle -> connecting   something is sent, and there is no connection
//   connecting -> idle   what was kept is sent; or, if that has failed, calls get the error, and the rest is dropped
class peer_outbox {
 public:
  struct item {
    std::string frames;
    ref_view ref;
    outbound_calls::entry call; // without one, nobody waits for anything
  };

  peer_outbox(std::shared_ptr<node_core> core, std::string peer)
      : core_(std::move(core)), peer_(std::move(peer)) {}
  peer_outbox(const peer_outbox&) = delete;
  peer_outbox& operator=(const peer_outbox&) = delete;
  ~peer_outbox() {
    is_alive_ = false;
    for (item& each : waiting_) {
      give_up(each, nullptr);
    }
  }

  node_core& core() const noexcept { return *core_; }
  const std::string& peer() const noexcept { return peer_; }

  // Adds to an item a frame whose content is written. Throws if it is too long.
  void add_frame(item& one, const term_writer& content) const {
    if (content.bytes().size() > core_->how().limits().frame) {
      throw error(
          errc::bad_message, "otpp: a message of " + std::to_string(content.bytes().size()) + " bytes for " +
                                 peer_ + " is longer than node_limits::frame");
    }
    append_frame(one.frames, content.bytes());
  }

  // Called with the connection before something is sent there; what it adds goes first.
  std::function<void(const std::shared_ptr<peer_link>&, std::string& frames)> before;
  // Called when something for whose answer nobody waits could not be sent.
  std::function<void()> failed;

  void send(item one) {
    if (!is_connecting_ && send_now(one)) {
      return;
    }
    const dist::node_options& how = core_->how();
    if (!how.connects_by_use()) {
      give_up(one, nullptr);
      return;
    }
    if (waiting_size_ + one.frames.size() > how.limits().unsent) {
      give_up(one, make_error(errc::mailbox_full, "call", {}, peer_));
      return;
    }
    waiting_size_ += one.frames.size();
    waiting_.push_back(std::move(one));
    if (!std::exchange(is_connecting_, true)) {
      otpp::co_spawn(connect());
    }
  }

 private:
  // Returns false, and takes nothing, if there is no connection.
  bool send_now(item& one) {
    std::shared_ptr<peer_link> link = core_->link_with(peer_);
    if (!link) {
      return false;
    }
    if (before) {
      std::string first;
      before(link, first);
      one.frames.insert(0, first);
    }
    bool is_sent =
        one.call.call ? link->send_call(one.frames, one.ref, one.call) : link->send_frames(one.frames);
    if (is_sent) {
      core_->counted.sent.fetch_add(1, std::memory_order_relaxed);
    }
    return is_sent;
  }

  asio::awaitable<void> connect() {
    std::exception_ptr failure;
    try {
      connect_peer wanted{peer_};
      co_await otpp::call(core_->process, wanted, infinite);
    } catch (...) {
      failure = std::current_exception();
    }
    asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() == asio::cancellation_type::none) {
      connected(failure);
    }
  }

  // Where the connection is lost again, what it has not taken is lost with it.
  void connected(const std::exception_ptr& failure) noexcept {
    is_connecting_ = false;
    waiting_size_ = 0;
    for (item& each : std::exchange(waiting_, {})) {
      try {
        if (failure || !send_now(each)) {
          give_up(each, failure);
        }
      } catch (...) {
        give_up(each, std::current_exception());
      }
    }
  }

  void give_up(item& one, const std::exception_ptr& why) noexcept {
    if (one.call.call) {
      one.call.call->lost(why);
    } else {
      core_->counted.dropped.fetch_add(1, std::memory_order_relaxed);
      if (failed && is_alive_) {
        failed();
      }
    }
  }

  const std::shared_ptr<node_core> core_;
  const std::string peer_;
  std::vector<item> waiting_;
  std::size_t waiting_size_ = 0; // in bytes
  bool is_connecting_ = false;
  bool is_alive_ = true;
};

} // namespace otpp::detail

#pragma GCC visibility pop
