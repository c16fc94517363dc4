// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/tracing.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/watchers.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/message.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A wait of a stream until its message has left the mailbox.
class stream_wait : public answer_slot<void> {
 protected:
  ~stream_wait() override = default;
  std::string_view operation() const noexcept override { return "pipe_each"; }
};

// A message of a stream in transit, which tells the stream when it leaves the mailbox: when its handler
// begins, or when it is destroyed. It has the server half of that wait.
template <message M>
class stream_message final : public message_envelope<M>, public cached_memory {
 public:
  stream_message(envelope::opener how, M&& content)
      : message_envelope<M>(&open_next, std::move(content), {}), handle_(how) {}

  void tell(server_half<stream_wait> who) noexcept { stream_ = std::move(who); }

  void fail_unhandled(server_core&, const exit_reason&) noexcept override { delete this; }
  void discard_message() noexcept override { delete this; }
  bool is_lost_silently() const noexcept override { return true; }

 private:
  ~stream_message() override { leave(); }

  static void open_next(server_core& server, envelope& item) {
    auto& self = static_cast<stream_message&>(item);
    self.leave();
    self.handle_(server, item);
  }

  void leave() noexcept {
    if (stream_) {
      stream_.release()->answer();
    }
  }

  const envelope::opener handle_;
  server_half<stream_wait> stream_; // until it has left the mailbox
};

// As a timer's, the message needs no room, and the end of the server destroys it.
inline void push_piped(server_core& server, envelope_ptr item) noexcept {
  if (is_tracing()) [[unlikely]] {
    server.trace_sent(*item);
  }
  if (server.send<&mailbox::push_library_message>(*item) == mailbox::result::taken) {
    item.release();
  }
}

template <message M>
using stream_message_ptr = std::unique_ptr<stream_message<M>, envelope_discarder>;

template <message M>
struct initiate_stream_message : initiation {
  template <class Handler>
  void operator()(Handler&& handler, intrusive_ptr<server_core> server, stream_message_ptr<M> item) {
    using request = operation<stream_wait, void, std::decay_t<Handler>>;
    unregistered<request> wait = make_operation<request>(std::forward<Handler>(handler), server.get());
    if (!wait) {
      return;
    }
    wait->server = server;
    wait->timeout = infinite;
    wait->is_work = false; // the message is, while it is not handled
    server_half<request> half = register_wait(std::move(wait));
    if (half) {
      item->tell(server_half<stream_wait>(std::move(half)));
      push_piped(*server, envelope_ptr(item.release()));
    }
  }
};

// Puts a message of a stream into the mailbox, and waits until it has left it.
template <message M>
asio::awaitable<void> deliver_in_turn(intrusive_ptr<server_core> server, stream_message_ptr<M> item) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      initiate_stream_message<M>(), asio::use_awaitable, std::move(server), std::move(item));
}

} // namespace otpp::detail

#pragma GCC visibility pop
