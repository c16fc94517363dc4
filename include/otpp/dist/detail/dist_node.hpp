// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/home.hpp>
#include <otpp/dist/detail/cookie.hpp>
#include <otpp/dist/detail/epmd_client.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/own_name.hpp>
#include <otpp/dist/detail/peer_connection.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/co_spawn.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <unordered_map>
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
// Who was told to end is forgotten, so that it does not come up any more.
class dist_node {
 public:
  struct begin {};
  using messages = message_list<admit_peer, peer_is_up, peer_has_another, connect_peer, disconnect_peer>;

  struct peer_entry {
    pid connection; // that is up, or nobody
    std::shared_ptr<peer_link> link;
    bool is_own = false;      // we have begun it
    bool is_unwanted = false; // it was told to end
    pid attempt;              // our own that goes on, or nobody
    bool has_yielded = false; // that waits for the peer's
    std::vector<caller<void>> waiting;
  };

  struct state_type {
    std::shared_ptr<node_core> core;
    asio::any_io_executor executor;
    std::unique_ptr<asio::ip::tcp::acceptor> acceptor;
    std::unique_ptr<epmd_client> epmd; // while it is registered
    std::map<std::string, peer_entry> peers;
    std::deque<pid> handshakes;                            // that peers have begun, the oldest first
    std::unordered_map<std::uint64_t, admission> admitted; // by their ids
  };

  static asio::awaitable<init_result<state_type>> init(std::shared_ptr<node_core> core) {
    trap_exit(); // connections end
    core->process = self();
    core->name = whole_node_name(core->how().name());
    core->cookie = cookie_of(core->how());
    state_type made;
    made.core = std::move(core);
    made.core->home = running_process("open")->get_lane(); // sockets are not the process' alone
    made.executor = executor_of(*made.core->home);
    if (made.core->how().listen()) {
      listen(made);
    }
    made.core->creation = 1 + (node_core::random_number() >> 1); // not zero
    if (made.acceptor && made.core->how().epmd()) {
      std::uint32_t creation = co_await enter(made);
      made.core->creation = creation;
    }
    co_return init_result<state_type>(std::move(made)).then(begin());
  }

  static void handle_continue(begin, state_type& s) {
    if (s.acceptor) {
      co_spawn(accept(s));
    }
    if (s.epmd) {
      co_spawn(stay_registered(s));
    }
  }

  static accept_status handle_call(const admit_peer& asked, state_type& s) {
    accept_status status = status_of(asked, s);
    s.admitted[asked.connection.id()] = {status, asked.peer};
    return status;
  }

  // Returns false if another connection is used.
  static bool handle_call(const peer_is_up& told, state_type& s) {
    const std::string& peer = told.link->peer();
    peer_entry& entry = s.peers[peer];
    auto admitted = s.admitted.find(told.connection.id());
    bool is_own = entry.attempt == told.connection;
    if (told.connection.has_ended() || (!is_own && admitted == s.admitted.end())) {
      forget_if_empty(s, peer);
      return false;
    }
    bool is_successor = !is_own && (admitted->second.status == accept_status::alive || !entry.is_own);
    bool wins = is_own ? s.core->name > peer : peer > s.core->name;
    std::erase(s.handshakes, told.connection);
    s.admitted.erase(told.connection.id());
    if (is_own) {
      entry.attempt = pid();
    }
    if (is_alive(s, peer, entry) && !is_successor && !wins) {
      return false;
    }
    if (pid old = std::exchange(entry.connection, told.connection)) {
      entry.link->retire(); // it may have read what was sent before
      s.core->peer_went(peer, entry.link);
      s.core->listeners().tell(
          {peer, dist::node_event::kind::down, peer_error(peer, "it has connected again")});
      end(old, "another connection takes its place");
    }
    if (!is_own && entry.attempt && (wins || entry.has_yielded)) {
      end(std::exchange(entry.attempt, pid()), "the peer has connected meanwhile");
    }
    entry.link = told.link;
    entry.is_own = is_own;
    entry.is_unwanted = false;
    s.core->peer_came(peer, told.link);
    tell_connection_changed(*s.core, peer, {nullptr, told.link});
    s.core->listeners().tell({peer, dist::node_event::kind::up, {}});
    for (caller<void>& each : std::exchange(entry.waiting, {})) {
      each.reply();
    }
    return true;
  }

  // It may be one that the peer has begun at the same time, and that is not up here yet.
  static bool handle_call(const peer_has_another& told, state_type& s) {
    peer_entry& entry = s.peers[told.peer];
    if (is_alive(s, told.peer, entry)) {
      end(std::exchange(entry.attempt, pid()), "the peer has connected meanwhile");
      return false;
    }
    entry.has_yielded = std::any_of(s.admitted.begin(), s.admitted.end(), [&](const auto& each) {
      return each.second.may_come_up_as(told.peer);
    });
    return !entry.has_yielded;
  }

  static asio::awaitable<void> handle_call(connect_peer wanted, caller<void> from, state_type& s) {
    if (wanted.peer == s.core->name) {
      from.fail(peer_error(wanted.peer, "this is the node itself"));
      co_return;
    }
    peer_entry& entry = s.peers[wanted.peer];
    if (is_alive(s, wanted.peer, entry)) {
      from.reply();
      co_return;
    }
    entry.waiting.push_back(std::move(from));
    if (!entry.attempt) {
      entry.has_yielded = false;
      entry.attempt = co_await start_link<peer_connection>(
          options().on(s.executor), s.core, self(), asio::ip::tcp::socket(s.executor), wanted.peer);
    }
  }

  static void handle_cast(const disconnect_peer& whom, state_type& s) {
    auto found = s.peers.find(whom.peer);
    if (found == s.peers.end()) {
      return;
    }
    peer_entry& entry = found->second;
    entry.is_unwanted = true;
    s.core->peer_went(whom.peer, entry.link); // from here on it is connected with again
    end(entry.connection, "this node has disconnected it");
    end(entry.attempt, "this node has disconnected it");
  }

  // A connection has ended.
  static void handle_info(const exit_signal& ended, state_type& s) {
    s.admitted.erase(ended.from.id());
    if (std::erase(s.handshakes, ended.from) != 0) {
      refused(s, ended.reason);
      return;
    }
    for (auto& each : s.peers) {
      if (each.second.connection == ended.from || each.second.attempt == ended.from) {
        const std::string peer = each.first;
        each.second.attempt == ended.from ? failed(peer, each.second, ended.reason)
                                          : lost(s, peer, each.second, ended.reason);
        forget_if_empty(s, peer);
        return;
      }
    }
  }

  static asio::awaitable<void> terminate(const exit_reason&, state_type& s) {
    s.epmd.reset(); // which frees the name
    s.acceptor.reset();
    std::vector<pid> all(s.handshakes.begin(), s.handshakes.end());
    for (auto& each : s.peers) {
      all.insert(all.end(), {each.second.connection, each.second.attempt});
    }
    std::erase(all, pid());
    for (const pid& each : all) {
      end(each, "the node was closed");
    }
    for (const pid& each : all) {
      co_await each.join(); // they have a second to write what is left
    }
  }

 private:
  static void end(const pid& connection, const char* why) {
    exit(connection, exit_reason::shutdown(peer_error({}, why)));
  }

  static void forget_if_empty(state_type& s, const std::string& peer) {
    auto found = s.peers.find(peer);
    if (found != s.peers.end() && !found->second.connection && !found->second.attempt &&
        found->second.waiting.empty()) {
      s.peers.erase(found);
    }
  }

  // A connection that ends is still the entry's, but is used no more; another may come up beside it.
  static bool is_alive(const state_type& s, const std::string& peer, const peer_entry& entry) {
    return entry.connection && s.core->link_with(peer) == entry.link;
  }

  static accept_status status_of(const admit_peer& asked, state_type& s) {
    if (asked.peer == s.core->name || !is_allowed(asked, s)) {
      return accept_status::not_allowed;
    }
    auto found = s.peers.find(asked.peer);
    if (found != s.peers.end() && is_alive(s, asked.peer, found->second)) {
      return accept_status::alive;
    }
    if (found == s.peers.end() || !found->second.attempt) {
      return accept_status::ok;
    }
    return asked.peer > s.core->name ? accept_status::ok_simultaneous : accept_status::nok;
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
          "anybody",
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
        s.core->report("anybody", "cannot accept connections: " + error.message(), true);
        asio::steady_timer later(s.executor, std::chrono::milliseconds(100));
        co_await later.async_wait(asio::use_awaitable);
        continue;
      }
      pid made = co_await start_link<peer_connection>(
          options().on(s.executor), s.core, self(), std::move(socket), std::string());
      if (!made.has_ended() && !is_up(s, made)) { // it may be quick
        s.handshakes.push_back(std::move(made));
      }
      if (s.handshakes.size() > s.core->how().limits().handshakes) {
        s.admitted.erase(s.handshakes.front().id());
        end(s.handshakes.front(), "too many handshakes at a time");
        s.handshakes.pop_front();
        s.core->counted.refused.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }

  static bool is_up(const state_type& s, const pid& one) {
    auto is_one = [&](const auto& each) { return each.second.connection == one; };
    return std::any_of(s.peers.begin(), s.peers.end(), is_one);
  }

  static asio::awaitable<std::uint32_t> enter(state_type& s) {
    auto made = std::make_unique<epmd_client>(s.executor, *s.core->how().epmd(), s.core->how().setup());
    std::string alive(parse_node_name(s.core->name).alive);
    std::uint32_t creation = co_await made->enter(std::move(alive), s.core->address.port());
    s.epmd = std::move(made);
    co_return creation;
  }

  // Registers again when epmd has ended, and has been started again. The creation stays, as in OTP.
  static asio::awaitable<void> stay_registered(state_type& s) {
    std::chrono::milliseconds pause(100);
    while (true) {
      if (s.epmd) {
        co_await s.epmd->wait_for_end();
        s.epmd.reset();
        pause = std::chrono::milliseconds(100);
      }
      asio::steady_timer later(s.executor, pause);
      co_await later.async_wait(asio::use_awaitable);
      pause = (std::min)(2 * pause, std::chrono::milliseconds(10'000));
      try {
        co_await enter(s);
      } catch (const otpp::error& error) {
        if (error.code() == errc::name_taken) {
          s.core->report("epmd", error.what(), true);
        }
      }
    }
  }

  // ---- ended connections ----

  // Those who only look whether somebody listens, as health checks do, are counted; they end with the socket's own error.
  static void refused(state_type& s, const exit_reason& why) {
    s.core->counted.refused.fetch_add(1, std::memory_order_relaxed);
    if (const std::optional<std::string> text = own_text(why)) {
      s.core->report("somebody", *text, true);
    }
  }

  // Our attempt has not succeeded. If the peer has connected meanwhile, nobody waits.
  static void failed(const std::string& peer, peer_entry& entry, const exit_reason& why) {
    entry.attempt = pid();
    std::exception_ptr error = peer_error_of(why, peer, why.message());
    for (caller<void>& each : std::exchange(entry.waiting, {})) {
      each.fail(error);
    }
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
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
