// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/outbound_call.hpp>
#include <otpp/dist/detail/outbound_message.hpp>
#include <otpp/dist/detail/peer_outbox.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The callbacks of a process that stands here for a name on another node: what is sent to it is written to the connection.
class stand_in {
 public:
  class target {
   public:
    target(std::shared_ptr<node_core> core, std::string peer, std::string name)
        : outbox_(std::move(core), std::move(peer)), name_(std::move(name)), id_(self().id()) {}
    target(const target&) = delete;
    target& operator=(const target&) = delete;
    ~target() { outbox_.core().names_elsewhere().remove(describe(), id_); }

    peer_outbox& outbox() noexcept { return outbox_; }
    const std::string& describe() const noexcept { return text_; }

    // Each call monitors the name, as names change hands.
    void begin_call(peer_outbox::item& one, const pid_view& self) const {
      one.call.name = name_;
      term_writer to;
      put_monitor_p(to, self, std::string_view(name_), one.ref);
      outbox_.add_frame(one, to);
    }
    void begin_message(term_writer& to, const pid_view& self) const { put_reg_send(to, self, name_); }

   private:
    peer_outbox outbox_;
    const std::string name_;
    const std::string text_ = '{' + name_ + ",'" + outbox_.peer() + "'}";
    const std::uint64_t id_; // of the process whose state it is
  };

  using state_type = std::unique_ptr<target>;

  static state_type init(std::shared_ptr<node_core> core, std::string peer, std::string name) {
    trap_exit(); // so that it ends with its node also where that is closed, which is a normal end
    return std::make_unique<target>(std::move(core), std::move(peer), std::move(name));
  }

  static asio::awaitable<void> handle_continue(peer_outbox::wait_for_room, state_type& to) {
    return to->outbox().room();
  }

  template <call_message M>
  static outcome<reply_t<M>> handle_call(const M& message, caller<reply_t<M>> from, state_type& to) {
    if constexpr (std::same_as<M, stop_elsewhere>) {
      send_call_to<outbound_stop>(*to, std::move(from), "system", message.reason);
    } else {
      send_call_to<outbound_call_of<M>>(*to, std::move(from), "$gen_call", message);
    }
    return after_sending<reply_t<M>>(*to, no_reply);
  }

  template <message M>
  static outcome<> handle_cast(const M& message, state_type& to) {
    send_cast_to(*to, message);
    return after_sending<void>(*to, {});
  }

  template <message M>
    requires(!is_news<M> && !std::same_as<M, timeout>) // those are for itself
  static outcome<> handle_info(const M& message, state_type& to) {
    send_message_to(*to, [&](term_writer& out) { put_term(out, message); });
    return after_sending<void>(*to, {});
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
