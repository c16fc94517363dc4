// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The callbacks of a process that lives as long as the connection with a peer, for who monitors or links the peer: `node::peer`. If
// there is no connection it makes one, and ends if it cannot.
class peer_presence {
 public:
  struct begin {};

  struct state_type {
    std::shared_ptr<node_core> core;
    std::string peer;
  };

  static init_result<state_type> init(std::shared_ptr<node_core> core, std::string peer) {
    return init_result<state_type>(state_type{std::move(core), std::move(peer)}).then(begin());
  }

  static asio::awaitable<void> handle_continue(begin, state_type& s) {
    std::exception_ptr why;
    try {
      connect_peer wanted(s.peer);
      co_await otpp::call(s.core->process, wanted, infinite);
      std::shared_ptr<peer_link> link = s.core->link_with(s.peer);
      if (link) {
        monitor(link->process);
      } else {
        why = peer_error(s.peer, "it was lost at once");
      }
    } catch (...) {
      why = std::current_exception();
    }
    if (why) {
      exit(self(), exit_reason(why)); // an exit signal, because that is no crash
    }
  }

  static void handle_info(const down& lost, const state_type& s) {
    exit(self(), exit_reason(peer_error_of(lost.reason, s.peer, "it is lost")));
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
