// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/home.hpp>
#include <otpp/dist/detail/cookie.hpp>
#include <otpp/dist/detail/epmd_registration.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/own_name.hpp>
#include <otpp/dist/detail/peer_connection.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/peer_table.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/co_spawn.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The process of a node. It accepts connections, which are processes of their own that it is linked with, and knows which of them is
// that of a peer:
//
//   (none) -> connecting   we have begun (connect_peer)
//          -> up           by a connection that the peer has begun: until the cookie is checked nothing is entered, so that
//                          nobody can occupy a name
//   connecting -> up       by our attempt, or by the peer's
//              -> (none)   our attempt has ended; those who wait are told why
//   up -> up               by another connection: one that was answered `alive`, or, where both have connected at once, the one
//                          that the greater name has begun, so that both sides keep the same
//      -> (none)           the connection has ended
//
// An attempt of ours goes on when the peer's connection comes up, because the peer decides between the two: it may have lost its own
// by the time it sees our name. Then it takes our attempt, and loses with it what it has begun to send. So the attempt ends by the
// peer's answer; if that is `ok` it is the successor, which comes up when the old connection ends. Until then nothing is taken by it.
//
// If the peer wants its own connection to be used, our attempt has yielded: it waits while that shakes hands, or is on its way. And
// while that shakes hands no attempt is begun, which would end it when it is up; but for no longer than a quarter of
// node_options::setup, as it may be anybody who says that name.
//
// Who was told to end is forgotten, so that it does not come up any more.
class dist_node {
 public:
  struct begin {};

  using messages = message_list<
      admit_peer, peer_is_up, peer_has_another, peer_has_precedence, connect_peer, disconnect_peer>;

  // The peer has had the time for a connection of its own: to begin it, or, where we have no attempt, to bring it up.
  struct turn_is_over {
    std::string peer;
    pid attempt;
  };

  struct state_type {
    std::shared_ptr<node_core> core;
    asio::any_io_executor executor;
    std::unique_ptr<asio::ip::tcp::acceptor> acceptor;
    std::unique_ptr<epmd_registration> epmd;
    peer_table peers;
    std::deque<pid> handshakes; // that peers have begun, the oldest first
  };

  static asio::awaitable<init_result<state_type>> init(std::shared_ptr<node_core> core) {
    trap_exit(); // connections end
    core->process = self();
    core->name = whole_node_name(core->how().name());
    core->cookie = cookie_of(core->how());
    state_type made;
    made.peers = peer_table(core);
    made.core = std::move(core);
    made.core->home = running_process("open")->get_lane(); // sockets are not the process' alone
    made.executor = executor_of(*made.core->home);
    if (made.core->how().listen()) {
      listen(made);
    }
    made.core->creation = 1 + (node_core::random_number() >> 1); // not zero
    if (made.acceptor && made.core->how().epmd()) {
      made.epmd = std::make_unique<epmd_registration>(made.core, made.executor);
      std::uint32_t creation = co_await made.epmd->enter();
      made.core->creation = creation;
    }
    co_return init_result<state_type>(std::move(made)).then(begin());
  }

  static void handle_continue(begin, state_type& s) {
    if (s.acceptor) {
      co_spawn(accept(s));
    }
    if (s.epmd) {
      co_spawn(s.epmd->stay());
    }
  }

  static accept_status handle_call(const admit_peer& asked, state_type& s) {
    accept_status status = status_of(asked, s);
    s.peers.admit(asked.connection, {status, asked.peer});
    return status;
  }

  // Returns false if another connection is used.
  static bool handle_call(const peer_is_up& told, state_type& s) {
    const std::string& peer = told.link->peer();
    peer_entry& entry = s.peers.of(peer);
    const peer_admission* admitted = s.peers.admitted(told.connection);
    bool is_own = entry.attempt == told.connection;
    if (told.connection.has_ended() || (!is_own && admitted == nullptr)) {
      s.peers.forget_if_empty(peer);
      return false;
    }
    bool is_newer = !is_own && (admitted->status == accept_status::alive || !entry.is_own);
    bool wins = is_own ? s.core->name > peer : peer > s.core->name;
    std::erase(s.handshakes, told.connection);
    s.peers.forget_admitted(told.connection);
    if (s.peers.is_alive(peer, entry) && !is_newer && !wins) {
      entry.successor = is_own ? told.link : nullptr;
      return is_own;
    }
    s.peers.come_up(peer, entry, told.connection, told.link);
    return true;
  }

  // It may be one that the peer has begun at the same time, and that is not up here yet.
  static bool handle_call(const peer_has_another& told, state_type& s) {
    return !s.peers.is_connected(told.peer) && !s.peers.is_admitted(told.peer);
  }

  // Returns false if that connection is up already.
  static bool handle_call(const peer_has_precedence& told, state_type& s) {
    peer_entry* entry = s.peers.find(told.peer);
    if (entry == nullptr || entry->attempt != told.attempt) {
      return false;
    }
    if (s.peers.is_alive(told.peer, *entry)) {
      entry->attempt = pid();
      return false;
    }
    entry->has_yielded = true;
    give_turn(s, told.peer, told.attempt);
    return true;
  }

  static asio::awaitable<void> handle_info(turn_is_over late, state_type& s) {
    peer_entry* entry = s.peers.find(late.peer);
    if (entry == nullptr || entry->attempt != late.attempt) {
      co_return;
    }
    if (late.attempt) {
      end_yielded(s, late.peer, "none has come: can it reach this node?");
    } else if (!entry->waiting.empty()) {
      asio::awaitable<void> begun = begin_attempt(s, late.peer, *entry);
      co_await std::move(begun);
    }
  }

  static asio::awaitable<void> handle_call(connect_peer wanted, caller<void> from, state_type& s) {
    if (wanted.peer == s.core->name) {
      from.fail(peer_error(wanted.peer, "this is the node itself"));
      co_return;
    }
    peer_entry& entry = s.peers.of(wanted.peer);
    if (s.peers.is_alive(wanted.peer, entry)) {
      from.reply();
      co_return;
    }
    entry.waiting.push_back(std::move(from));
    if (!entry.attempt && s.peers.is_admitted(wanted.peer)) {
      give_turn(s, wanted.peer, pid());
    } else if (!entry.attempt) {
      asio::awaitable<void> begun = begin_attempt(s, wanted.peer, entry);
      co_await std::move(begun);
    }
  }

  static void handle_cast(const disconnect_peer& whom, state_type& s) {
    peer_entry* entry = s.peers.find(whom.peer);
    if (entry == nullptr) {
      return;
    }
    entry->is_unwanted = true;
    entry->successor = nullptr;
    s.core->peer_went(whom.peer, entry->link); // from here on it is connected with again
    peer_table::end(entry->connection, "this node has disconnected it");
    peer_table::end(entry->attempt, "this node has disconnected it");
    if (!entry->attempt) {
      peer_table::fail_waiting(*entry, peer_error(whom.peer, "this node has disconnected it"));
    }
  }

  // A connection has ended.
  static void handle_info(const exit_signal& ended, state_type& s) {
    const std::string claimed = s.peers.forget_admitted(ended.from);
    if (std::erase(s.handshakes, ended.from) != 0) {
      refused(s, claimed, ended.reason);
      end_yielded(s, claimed, "it has failed: see its log, and that of this node");
      if (const peer_entry* entry = s.peers.find(claimed); entry != nullptr && !entry->attempt) {
        send_after<turn_is_over>(duration::zero(), self<dist_node>(), claimed, pid()); // it is ours
      }
      return;
    }
    const std::string peer = s.peers.peer_of(ended.from);
    if (peer_entry* entry = s.peers.find(peer)) {
      entry->attempt == ended.from ? failed(peer, *entry, ended.reason) : lost(s, peer, *entry, ended.reason);
      s.peers.forget_if_empty(peer);
    }
  }

  static asio::awaitable<void> terminate(const exit_reason&, state_type& s) {
    if (s.epmd) {
      s.epmd->leave();
    }
    s.acceptor.reset();
    std::vector<pid> all(s.handshakes.begin(), s.handshakes.end());
    s.peers.append_all(all);
    for (const pid& each : all) {
      peer_table::end(each, "the node was closed");
    }
    for (const pid& each : all) {
      co_await each.join(); // they have a second to write what is left
    }
  }

 private:
  static asio::awaitable<void> begin_attempt(state_type& s, std::string peer, peer_entry& entry) {
    auto made = co_await start_link<peer_connection>(
        options().on(s.executor), s.core, self(), asio::ip::tcp::socket(s.executor), std::move(peer));
    entry.attempt = made;
    try_cast<peer_connection::begin>(made);
  }

  static void give_turn(const state_type& s, const std::string& peer, const pid& attempt) {
    send_after<turn_is_over>(s.core->how().setup() / 4, self<dist_node>(), peer, attempt);
  }

  // What our attempt waits for does not come, unless there is more of it.
  static void end_yielded(state_type& s, const std::string& peer, const char* why) {
    const peer_entry* entry = s.peers.find(peer);
    if (entry != nullptr && entry->has_yielded && !s.peers.is_admitted(peer)) {
      exit(
          entry->attempt, exit_reason::shutdown(peer_error(
                              peer, std::string("it wanted its own connection to be used, and ") + why)));
    }
  }

  static accept_status status_of(const admit_peer& asked, state_type& s) {
    if (asked.peer == s.core->name || !is_allowed(asked, s)) {
      return accept_status::not_allowed;
    }
    if (s.peers.is_connected(asked.peer)) {
      return accept_status::alive;
    }
    const peer_entry* entry = s.peers.find(asked.peer);
    if (entry == nullptr || !entry->attempt) {
      return accept_status::ok;
    }
    return asked.peer > s.core->name || entry->has_yielded ? accept_status::ok_simultaneous
                                                           : accept_status::nok;
  }

  // The user's function; the name may be anybody's choice.
  static bool is_allowed(const admit_peer& asked, state_type& s) {
    const auto& allow = s.core->how().allow();
    try {
      return !allow || allow(asked.peer, asked.from);
    } catch (const std::exception& error) {
      s.core->report(asked.peer, std::string("node_options::allow has thrown: ") + error.what(), true);
    } catch (...) {
      s.core->report(asked.peer, "node_options::allow has thrown", true);
    }
    return false;
  }

  // ---- listening ----

  static void listen(state_type& s) {
    const asio::ip::tcp::endpoint where = *s.core->how().listen();
    s.acceptor = std::make_unique<asio::ip::tcp::acceptor>(s.executor, where); // throws if the port is taken
    s.core->address = s.acceptor->local_endpoint();
    auto [alive, host] = parse_node_name(s.core->name);
    if (where.address().is_loopback() && host != "localhost" && host != "::1" && !host.starts_with("127.")) {
      s.core->report(
          {},
          "other machines cannot connect, and perhaps not even this one, because the node listens at " +
              where.address().to_string() +
              " only: say where by node_options::listen, or use a name such as " + std::string(alive) +
              "@127.0.0.1",
          true);
    }
  }

  static asio::awaitable<void> accept(state_type& s) {
    while (true) {
      asio::ip::tcp::socket socket(s.executor);
      std::error_code error;
      co_await s.acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) {
        co_return;
      }
      if (error) { // as when there are no more file descriptors: the next accept would fail, too
        s.core->report({}, "cannot accept connections: " + error.message(), true);
        asio::steady_timer later(s.executor, std::chrono::milliseconds(100));
        co_await later.async_wait(asio::use_awaitable);
        continue;
      }
      auto made = co_await start_link<peer_connection>(
          options().on(s.executor), s.core, self(), std::move(socket), std::string());
      s.handshakes.emplace_back(made);
      try_cast<peer_connection::begin>(made); // if it cannot be told, its deadline ends it
      if (s.handshakes.size() > s.core->how().limits().handshakes) {
        s.peers.forget_admitted(s.handshakes.front());
        peer_table::end(s.handshakes.front(), "too many handshakes at a time");
        s.handshakes.pop_front();
        s.core->counted.refused.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }

  // ---- ended connections ----

  // Those who only look whether somebody listens, as health checks do, are counted; they end with the socket's own error.
  static void refused(state_type& s, const std::string& claimed, const exit_reason& why) {
    s.core->counted.refused.fetch_add(1, std::memory_order_relaxed);
    if (const std::optional<std::string> text = own_text(why)) {
      s.core->report(claimed, *text, true);
    }
  }

  // Our attempt has not succeeded. If the peer has connected meanwhile, nobody waits.
  static void failed(const std::string& peer, peer_entry& entry, const exit_reason& why) {
    entry.attempt = pid();
    entry.has_yielded = false;
    entry.successor = nullptr;
    peer_table::fail_waiting(entry, peer_error_of(why, peer, why.message()));
  }

  static void lost(state_type& s, const std::string& peer, peer_entry& entry, const exit_reason& why) {
    constexpr const char* otherwise = "the peer has closed it, or has ended";
    const std::optional<std::string> text = own_text(why);
    std::exception_ptr error = peer_error_of(why, peer, otherwise);
    entry.connection = pid();
    s.core->peer_went(peer, std::exchange(entry.link, nullptr));
    s.core->listeners().tell({peer, dist::node_event::kind::down, error});
    s.core->report(peer, text.value_or(otherwise), text && !entry.is_unwanted);
    entry.is_unwanted = false;
    if (entry.successor) {
      s.peers.come_up(peer, entry, pid(entry.attempt), std::shared_ptr<peer_link>(entry.successor));
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
