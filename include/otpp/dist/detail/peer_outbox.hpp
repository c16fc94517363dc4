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
#include <otpp/process/self.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a process that stands for one elsewhere sends to its node. It keeps in order what cannot be written yet: because there is no
// connection, or too much waits to be written by it. It belongs to the state of that process, and is used on its executor.
//
//   idle -> connecting    something is sent, and there is no connection
//        -> crowded       a message is sent, and what the peer has not read is above the high watermark
//   connecting -> idle    what was kept is sent; or, if that has failed, calls get the error, and the rest is dropped
//   crowded -> idle       the peer has read down to the low watermark: what was kept is sent
//           -> connecting the connection is lost meanwhile
//
// Who sends messages lets its process wait for room() where is_full() says so, before it takes the next one; its mailbox has a limit,
// so that those who send to it wait, too.
class peer_outbox {
 public:
  // How many messages wait in the mailbox of a process that waits for room.
  static constexpr std::size_t mailbox_limit = 1000;

  // For the process itself: it waits for room.
  struct wait_for_room {};

  struct item {
    std::string frames;
    ref_view ref;
    outbound_calls::entry call; // without one, nobody waits for anything
    std::uint64_t links = 0;    // links() when it was made, if it is of those
  };

  // `line`: that of peer_output in which it sends; by default that of its process, as of outbound_calls::entry::target.
  peer_outbox(std::shared_ptr<node_core> core, std::string peer, std::uint64_t line = self().id())
      : core_(std::move(core)), peer_(std::move(peer)), line_(line) {}
  peer_outbox(const peer_outbox&) = delete;
  peer_outbox& operator=(const peer_outbox&) = delete;
  ~peer_outbox() {
    is_alive_ = false;
    for (item& each : kept_) {
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

  // The links that are made and cut by what is sent; when they are lost, what of them waits here is lost with them.
  std::uint64_t links() const noexcept { return links_; }
  void forget_links() noexcept { ++links_; }

  // Called with the connection before something is sent there; what it adds goes first.
  std::function<void(const std::shared_ptr<peer_link>&, std::string& frames)> before;
  // Called when something for whose answer nobody waits could not be sent.
  std::function<void()> failed;

  // Sends what does not wait for room, such as a signal.
  void send(item one) {
    if (is_keeping()) {
      keep(std::move(one));
    } else {
      send_by(link(), std::move(one));
    }
  }

  // Sends a message. The process must wait for room() then if it is_full().
  void send_message(item one) {
    std::shared_ptr<peer_link> by = is_keeping() ? nullptr : link();
    if (is_keeping() || (by && by->output.is_above_watermark())) {
      keep(std::move(one));
    } else {
      send_by(by, std::move(one));
    }
  }

  bool is_full() const noexcept {
    return is_connecting_ ? kept_size_ > peer_link::marks_of(core_->how()).high : !kept_.empty();
  }

  // Waits while it is_full(), and sends what was kept.
  asio::awaitable<void> room() {
    asio::any_io_executor here = co_await asio::this_coro::executor;
    while (is_full()) {
      // Where there was no memory to wake it, it looks again after a second.
      room_ = std::make_shared<asio::steady_timer>(here, std::chrono::seconds(1));
      const waiting_at_link waits(is_connecting_ ? nullptr : link(), id_, room_);
      if (is_connecting_ || waits.is_needed()) {
        std::error_code woken;
        co_await room_->async_wait(asio::redirect_error(asio::use_awaitable, woken));
      }
      if (!is_connecting_) {
        send_kept();
      }
    }
    room_.reset();
  }

 private:
  // That the process waits for a connection to have room, and by which timer it is woken.
  class waiting_at_link {
   public:
    waiting_at_link(
        std::shared_ptr<peer_link> link, std::uint64_t id, const std::shared_ptr<asio::steady_timer>& timer)
        : link_(std::move(link)), id_(id) {
      auto go_on = [timer] { asio::post(timer->get_executor(), [timer] { peer_link::end_wait(*timer); }); };
      if (link_ && !link_->output.wait_for_room(id_, go_on)) {
        link_.reset();
      }
    }
    waiting_at_link(const waiting_at_link&) = delete;
    waiting_at_link& operator=(const waiting_at_link&) = delete;
    ~waiting_at_link() {
      if (link_) {
        link_->output.stop_waiting(id_);
      }
    }

    bool is_needed() const noexcept { return link_ != nullptr; }

   private:
    std::shared_ptr<peer_link> link_;
    const std::uint64_t id_;
  };

  bool is_keeping() const noexcept { return is_connecting_ || !kept_.empty(); }

  // The connection; null if there is none.
  std::shared_ptr<peer_link> link() const { return core_->link_with(peer_); }

  // Where it is lost, and may, it connects again.
  void send_by(const std::shared_ptr<peer_link>& by, item one) {
    if (send_now(by, one)) {
      return;
    }
    if (!core_->how().connects_by_use()) {
      give_up(one, nullptr);
      return;
    }
    keep(std::move(one));
    if (!kept_.empty() && !std::exchange(is_connecting_, true)) {
      otpp::co_spawn(connect());
    }
  }

  void keep(item one) {
    if (kept_size_ >= core_->how().limits().unsent) {
      give_up(one, make_error(errc::mailbox_full, "call", {}, peer_));
      return;
    }
    kept_size_ += one.frames.size();
    kept_.push_back(std::move(one));
  }

  // Returns false, and takes nothing, if there is no connection.
  bool send_now(const std::shared_ptr<peer_link>& by, item& one) {
    if (!by) {
      return false;
    }
    std::string first;
    if (before) {
      before(by, first);
      if (one.links != 0 && one.links != links_) {
        one.frames.clear();
      }
      one.frames.insert(0, first);
    }
    bool is_sent = one.call.call ? by->send_call(one.frames, one.ref, one.call, line_)
                                 : by->send_frames(std::move(one.frames), line_);
    if (is_sent) {
      core_->counted.sent.fetch_add(1, std::memory_order_relaxed);
    } else {
      one.frames.erase(0, first.size());
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
    kept_size_ = 0;
    for (item& each : std::exchange(kept_, {})) {
      try {
        if (failure || !send_now(link(), each)) {
          give_up(each, failure);
        }
      } catch (...) {
        give_up(each, std::current_exception());
      }
    }
    if (room_) {
      peer_link::end_wait(*room_);
    }
  }

  // Sends what was kept, as far as there is room; where the connection is lost, it connects again.
  void send_kept() {
    std::vector<item> all = std::exchange(kept_, {});
    kept_size_ = 0;
    for (item& each : all) {
      send_message(std::move(each));
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
  const std::uint64_t line_;
  const std::uint64_t id_ = self().id(); // of the process
  std::vector<item> kept_;
  std::size_t kept_size_ = 0; // in bytes
  std::uint64_t links_ = 1;
  std::shared_ptr<asio::steady_timer> room_; // wakes the process that waits for it
  bool is_connecting_ = false;
  bool is_alive_ = true;
};

} // namespace otpp::detail

#pragma GCC visibility pop
