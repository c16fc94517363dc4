// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/outbound_calls.hpp>
#include <otpp/dist/detail/outbound_monitors.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/dist/detail/peer_ties.hpp>
#include <otpp/dist/detail/peer_transport.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/dist/detail/ref_key.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/term/detail/writer.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A call of a peer's that is not answered.
class open_inbound {
 public:
  virtual ~open_inbound() = default;
  virtual void give_up() noexcept = 0;
};

// Another node, as the handshake has shown it.
struct peer_identity {
  std::string name;
  reason_form reasons = reason_form::in_tuple; // how it gets them
  bool takes_fragments = false;
};

class peer_link;

// Sends what was begun at the link to one of the peer's processes, behind what was sent there before. Of process_elsewhere.hpp,
// which needs more than this.
void send_in_order(peer_link& link, const pid_view& whom);

// A connection with a peer: what is to be written, the calls of both sides, and the peer's monitors. Shared by the
// connection's process, the operations that have begun here, and whoever sends to the peer. Any thread may call what stands
// under "any thread"; all else is used on the executor of the connection's process.
//
//   open -> failed   something has gone wrong, which failure() tells: the transport is closed, so that reading and writing end
//        -> closed   by the process, when it ends: calls are given up, and what comes later, such as an answer, is dropped
class peer_link : public std::enable_shared_from_this<peer_link> {
 public:
  peer_link(
      std::shared_ptr<node_core> node, pid connection, asio::any_io_executor executor,
      std::unique_ptr<peer_transport> connected, peer_identity peer)
      : process(std::move(connection)),
        transport(std::move(connected)),
        wake(executor),
        up(executor),
        output(marks_of(node->how()), peer.takes_fragments),
        node_(std::move(node)),
        executor_(std::move(executor)),
        peer_(std::move(peer)) {
    writer_.reader = node_.get();
    wake.expires_at((std::chrono::steady_clock::time_point::max)());
  }

  // With those that are below what may wait at all.
  static peer_output::watermarks marks_of(const dist::node_options& how) noexcept {
    std::size_t most = how.limits().unsent;
    return {most, (std::min)(how.high_watermark(), most / 2), (std::min)(how.low_watermark(), most / 8)};
  }

  // On the executor of the timer.
  static void end_wait(asio::steady_timer& timer) noexcept {
    try {
      timer.cancel();
    } catch (const std::system_error&) {
      // Asio has nothing to say here.
    }
  }

  // ---- any thread ----

  node_core& node() const noexcept { return *node_; }
  const asio::any_io_executor& executor() const noexcept { return executor_; }
  const std::string& peer() const noexcept { return peer_.name; }

  // Adds frames that append_frame() has made to a line of `output`. Returns false if the connection is lost. Then it has not taken
  // them.
  bool send_frames(std::string&& frames, std::uint64_t line) {
    return is_sent(
        peer_.takes_fragments ? output.add(std::move(frames), line)
                              : output.add(all_without_fragments(frames), line));
  }

  // Sends a call. Returns false, and takes nothing, if the connection is lost.
  bool send_call(std::string& frames, const ref_view& ref, outbound_calls::entry& call, std::uint64_t line) {
    if (!calls_there.add(ref, call)) {
      return false;
    }
    try {
      send_frames(std::move(frames), line); // if the connection is lost meanwhile, close() ends the call
    } catch (...) {
      call = calls_there.take_ended(ref);
      throw;
    }
    return true;
  }

  // The node uses this connection from here on; what comes by it before waits.
  void come_up() noexcept {
    is_up_.store(true, std::memory_order_release);
    try {
      post(&peer_link::wake_reader);
    } catch (...) {
      // It looks again by itself.
    }
  }
  bool is_up() const noexcept { return is_up_.load(std::memory_order_acquire); }

  // Another connection with the peer is used from here on: what has come by this one, and was not taken yet, is lost, and nothing
  // more is sent by it.
  void retire() noexcept {
    is_retired_.store(true, std::memory_order_relaxed);
    output.close();
  }
  bool is_retired() const noexcept { return is_retired_.load(std::memory_order_relaxed); }

  const pid process;          // the connection's
  outbound_calls calls_there; // of ours
  outbound_monitors monitors_there;

  // ----

  // Tells the peer of those of our calls for which nobody waits any more.
  void forget_calls() {
    for (const auto& [key, call] : calls_there.take_forgotten()) {
      if (call.name.empty()) {
        continue; // there is no monitor of its own
      }
      ref_view ref;
      ref.node = node_->name;
      ref.creation = key.creation;
      ref.count = key.count;
      ref.words = key.words;
      put_demonitor_p(begin(), node_->identity_of(call.asking), std::string_view(call.name), ref);
      send(call.target); // behind the call and its monitor
    }
  }

  const std::unique_ptr<peer_transport> transport;
  asio::steady_timer wake; // is cancelled when there is something to write
  asio::steady_timer up;   // is cancelled when it has come up
  peer_output output;

  // Begins a frame, which send() sends.
  term_writer& begin() noexcept {
    writer_.clear();
    return writer_;
  }
  term_writer& writer() noexcept { return writer_; } // what was begun
  void send(std::uint64_t line = peer_output::any_line) {
    std::size_t size = writer_.bytes().size();
    if (size > node_->how().limits().frame) {
      fail("a message for it has " + std::to_string(size) + " bytes, more than node_limits::frame");
      return;
    }
    node_->counted.sent.fetch_add(1, std::memory_order_relaxed);
    auto added = peer_.takes_fragments ? output.add_frame(writer_.bytes(), line)
                                       : output.add_frame(without_fragments(writer_.bytes()), line);
    if (!is_sent(added) && is_open_) {
      fail_slow_reader();
    }
  }

  // A sign of life, unless something else is to be written.
  void tick() {
    if (output.add_tick()) {
      wake_writer();
    }
  }

  // Ends the connection.
  void fail(std::string why) noexcept {
    if (std::exchange(is_open_, false)) {
      failure_ = std::move(why);
      transport->close();
      wake_writer();
      wake_reader();
    }
  }
  void fail_slow_reader() noexcept {
    try {
      fail("it does not read what it is sent: more than node_limits::unsent bytes wait for it");
    } catch (...) {
      fail("it is slow");
    }
  }
  const std::string& failure() const noexcept { return failure_; }
  bool is_open() const noexcept { return is_open_; }

  // As whom the node itself speaks.
  pid_view self() const noexcept { return node_->identity_of(node_->process.id()); }

  // ---- the peer's calls ----

  std::uint64_t next_number() noexcept { return ++last_number_; }

  // How many calls and monitors the peer has here.
  std::size_t open_count() const noexcept { return calls_.size() + ties_.size(); }

  // Returns false if the peer has a call of this reference.
  bool add_call(const ref_key& key, std::shared_ptr<open_inbound> call) {
    return calls_.try_emplace(key, std::move(call)).second;
  }

  // The call is answered. Returns true if it was open.
  bool end_call(const ref_key& key, const open_inbound& call) noexcept {
    auto found = calls_.find(key);
    if (found == calls_.end() || found->second.get() != &call) {
      return false;
    }
    std::shared_ptr<open_inbound> ended = std::move(found->second); // which keeps this, and calls us
    calls_.erase(found);
    return true;
  }

  // The peer does not wait any more.
  void give_up_call(const ref_key& key) noexcept {
    auto found = calls_.find(key);
    if (found != calls_.end()) {
      std::shared_ptr<open_inbound> ended = std::move(found->second);
      calls_.erase(found);
      ended->give_up();
    }
  }

  // ---- the peer's monitors ----

  // The peer monitors a process of ours.
  void tie(const pid& who, peer_tie one) {
    bool is_new = false;
    std::shared_ptr<tied_process> with = ties_.process(who, is_new);
    ties_.add(*with, std::move(one));
    if (is_new) {
      wait_for_end(with);
    }
  }

  bool take_monitor(const ref_key& key, peer_tie& one) noexcept { return ties_.take(key, one); }

  // Tells the peer that what it monitors has ended.
  void tell_end(const peer_tie& one, const exit_reason& reason) {
    one.begin_end(begin(), peer_.reasons);
    put_reason(writer_, reason);
    send_in_order(*this, one.watcher());
  }

  // ----

  // Called when the connection's process ends; nothing happens later.
  void close() noexcept {
    fail({});
    output.close();
    calls_there.close();
    monitors_there.clear();
    auto calls = std::move(calls_);
    calls_.clear();
    for (auto& each : calls) {
      each.second->give_up();
    }
    ties_.clear([](tied_process& with) { with.cancel.emit(asio::cancellation_type::terminal); });
  }

 private:
  static std::string all_without_fragments(std::string_view frames) {
    std::string made;
    while (!frames.empty()) {
      std::size_t length = peer_output::length_at(frames, 0);
      append_frame(made, without_fragments(frames.substr(4, length)));
      frames.remove_prefix(4 + length);
    }
    return made;
  }

  // Wakes the writer, or ends the connection, where what was added asks for that.
  bool is_sent(peer_output::added result) {
    try {
      if (result == peer_output::added::first) {
        post(&peer_link::wake_writer);
      } else if (result == peer_output::added::over) {
        post(&peer_link::fail_slow_reader);
      }
    } catch (...) {
      output.close(); // the next tick ends the connection
      throw;
    }
    return result == peer_output::added::queued || result == peer_output::added::first;
  }

  void wake_writer() noexcept { end_wait(wake); }
  void wake_reader() noexcept { end_wait(up); }
  void post(void (peer_link::*what)() noexcept) {
    asio::post(executor_, [self = shared_from_this(), what] { (*self.*what)(); });
  }

  // Of a process that has ended, it completes at once.
  void wait_for_end(const std::shared_ptr<tied_process>& with) {
    with->who.join(asio::bind_executor(
        executor_, asio::bind_cancellation_slot(
                       with->cancel.slot(), [self = shared_from_this(), with](
                                                std::exception_ptr error, const exit_reason& reason) {
                         if (!error) {
                           self->has_ended(*with, reason);
                         }
                       })));
  }

  void has_ended(const tied_process& with, const exit_reason& reason) noexcept {
    try {
      for (const peer_tie& each : ties_.take_all(with.who.id())) {
        if (is_open_) {
          tell_end(each, reason);
        }
      }
    } catch (...) {
      fail("out of memory"); // the peer is told by the end of the connection
    }
  }

  const std::shared_ptr<node_core> node_;
  const asio::any_io_executor executor_;
  const peer_identity peer_;
  bool is_open_ = true;
  std::atomic<bool> is_up_{false};
  std::atomic<bool> is_retired_{false};
  std::string failure_;
  term_writer writer_;
  std::unordered_map<ref_key, std::shared_ptr<open_inbound>, ref_key_hash> calls_;
  peer_ties ties_;
  std::uint64_t last_number_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
