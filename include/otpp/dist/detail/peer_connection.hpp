// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/frame_router.hpp>
#include <otpp/dist/detail/incoming_fragments.hpp>
#include <otpp/dist/detail/incoming_frames.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/peer_handshake.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_transport.hpp>
#include <otpp/dist/detail/tcp_transport.hpp>
#include <otpp/dist/detail/tell_connection_changed.hpp>
#include <otpp/dist/detail/ticker.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/co_spawn.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A connection with a peer: a process, which its node has started and is linked with. It does nothing before `begin`, which the
// node sends once it knows the process, so that it can say why one has ended, however quickly that was.
//
//   shaking hands -> up -> ended     one coroutine shakes hands and then reads, another writes; what they find ends it
//                 -> yielding        the peer is about to connect with us, and wants this attempt to wait: until the node
//                                    ends it
//                 -> ended           by an error, by its node, or by the deadline
class peer_connection {
 public:
  struct begin {};
  struct deadline {};
  struct tick_is_due {};

  class state_type {
   public:
    state_type(std::shared_ptr<node_core> of, pid node, asio::ip::tcp::socket connected, std::string wanted)
        : core(std::move(of)),
          owner(std::move(node)),
          peer(std::move(wanted)),
          transport(make_transport(core->how().transport(), std::move(connected))),
          in(std::make_unique<incoming_frames>()),
          handshake(std::make_unique<peer_handshake>(*core, *transport, *in)),
          ticks(core->how().tick(), std::chrono::steady_clock::now()) {}
    state_type(state_type&&) = default;
    state_type& operator=(state_type&&) = delete;
    ~state_type() {
      if (link) {
        core->peer_went(link->peer(), link);
        tell_connection_changed(*core, link->peer(), link, nullptr);
        link->close(); // also where `terminate` has not run, because it was killed
      }
    }

    std::shared_ptr<node_core> core;
    pid owner;
    std::string peer;                          // with whom to connect; empty if the peer has begun
    std::unique_ptr<peer_transport> transport; // until it is up
    std::unique_ptr<incoming_frames> in;
    std::unique_ptr<peer_handshake> handshake;
    std::shared_ptr<peer_link> link; // once it is up
    ticker ticks;
    bool is_suspect = false; // nothing has come for the time of a tick
  };

  // @param wanted  With whom to connect; empty for a socket that has been accepted.
  state_type init(
      std::shared_ptr<node_core> core, pid node, asio::ip::tcp::socket socket, std::string wanted) {
    trap_exit(); // so that `terminate` runs when the node ends
    send_after<deadline>(core->how().setup(), self<peer_connection>());
    return state_type(std::move(core), std::move(node), std::move(socket), std::move(wanted));
  }

  void handle_cast(begin, state_type& s) { otpp::co_spawn(talk(s)); }

  // From its own coroutine. That of its node ends it without asking, as that of a parent does.
  outcome<> handle_info(const exit_signal& order, state_type&) { return stop(order.reason); }

  outcome<> handle_info(deadline, state_type& s) {
    if (s.link) {
      return {};
    }
    return stop(
        exit_reason::shutdown(std::make_exception_ptr(error(errc::no_connection, s.handshake->late()))));
  }

  void handle_info(tick_is_due, state_type& s) {
    s.link->forget_calls();
    auto now = std::chrono::steady_clock::now();
    if (s.link->output.is_closed()) {
      s.link->fail_slow_reader();
    } else if (s.ticks.is_stuck(now)) {
      s.link->fail("it has read nothing of what it was sent for " + text_of_time(s.core->how().tick()));
    } else if (s.ticks.is_dead(now) && !std::exchange(s.is_suspect, true)) {
      send_after<tick_is_due>(duration::zero(), self<peer_connection>()); // what has come is to be read first
    } else if (s.ticks.is_dead(now)) {
      s.link->fail("nothing has come from it for " + text_of_time(s.core->how().tick()));
    } else if (s.ticks.is_due(now)) {
      s.ticks.wrote(now);
      s.link->tick();
    }
  }

  asio::awaitable<void> terminate(const exit_reason&, state_type& s) {
    if (s.link && s.link->is_open()) {
      asio::awaitable<void> rest = flush(s.link);
      co_await std::move(rest);
    }
  }

 private:
  static asio::awaitable<void> talk(state_type& s) {
    std::exception_ptr why;
    try {
      co_await connect(s);
      if (!s.link) {
        peer_has_precedence other{s.peer, self()};
        bool is_to_wait = co_await otpp::call(s.owner, other, infinite);
        if (is_to_wait) {
          co_return;
        }
        why = peer_error(s.peer, "it has connected meanwhile");
      } else {
        co_await read(s);
      }
    } catch (...) {
      why = std::current_exception();
    }
    asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) {
      co_return; // it ends already
    }
    if (s.link) {
      s.core->peer_went(s.link->peer(), s.link); // so that nobody uses it any more
    }
    if (s.link && !s.link->failure().empty()) {
      why = peer_error(s.link->peer(), s.link->failure());
    }
    exit(self(), why ? exit_reason::shutdown(std::move(why)) : exit_reason::shutdown());
  }

  // Shakes hands, and tells the node.
  static asio::awaitable<void> connect(state_type& s) {
    asio::awaitable<peer_identity> shaking =
        s.peer.empty() ? s.handshake->accept(s.owner) : s.handshake->connect(s.peer);
    peer_identity peer = co_await std::move(shaking);
    if (peer.name.empty()) {
      co_return; // the peer connects with us
    }
    s.peer = peer.name;
    asio::any_io_executor here = co_await asio::this_coro::executor;
    s.link = std::make_shared<peer_link>(s.core, self(), here, std::move(s.transport), std::move(peer));
    peer_is_up up{s.link, self()};
    bool is_taken = co_await otpp::call(s.owner, up, infinite);
    if (!is_taken) {
      throw std::system_error(asio::error::connection_aborted); // another is used
    }
    s.ticks = ticker(s.core->how().tick(), std::chrono::steady_clock::now());
    otpp::co_spawn(write(s));
    auto period = (std::min)(s.core->how().tick() / 8, duration(std::chrono::seconds(5)));
    send_interval<tick_is_due>(period, self<peer_connection>());
  }

  static asio::awaitable<void> read(state_type& s) {
    std::shared_ptr<peer_link> link = s.link;
    frame_router router(*link);
    incoming_fragments fragments(s.core->how().limits().frame);
    while (link->is_open() && !link->is_retired()) {
      std::string_view frame;
      auto found = s.in->next(4, s.core->how().limits().frame, frame);
      if (found == incoming_frames::found::too_long) {
        link->fail("it has sent a frame that is longer than node_limits::frame");
      } else if (found == incoming_frames::found::none) {
        std::span<char> room = s.in->room();
        std::error_code error;
        std::size_t size = co_await link->transport->read_some(asio::buffer(room.data(), room.size()), error);
        if (error && link->transport->failure().empty()) {
          throw std::system_error(error);
        }
        if (error) {
          link->fail(link->transport->failure());
          continue;
        }
        s.in->filled(size);
        s.ticks.read(std::chrono::steady_clock::now());
        s.is_suspect = false;
      } else if (frame.empty()) {
        answer_tick(s);
      } else {
        co_await wait_until_up(*link);
        if (link->is_open() && !link->is_retired()) {
          take(*link, router, fragments, frame);
        }
      }
    }
  }

  // While another connection is up, what has come by that goes first. Where there was no memory to wake it, it looks again after a
  // second.
  static asio::awaitable<void> wait_until_up(peer_link& link) {
    while (link.is_open() && !link.is_up()) {
      link.up.expires_after(std::chrono::seconds(1));
      std::error_code woken;
      co_await link.up.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
  }

  static void take(
      peer_link& link, frame_router& router, incoming_fragments& fragments, std::string_view frame) {
    using found = incoming_fragments::found;
    found what = fragments.take(frame);
    if (what == found::too_long) {
      link.fail("it has sent a message in fragments that is longer than node_limits::frame");
    } else if (what == found::too_many) {
      link.fail("it has begun too many messages in fragments that it has not ended");
    } else if (what == found::malformed || (what == found::frame && !router.take(frame))) {
      link.fail("it has sent bytes that are no message of Erlang's distribution");
    }
  }

  static void answer_tick(state_type& s) {
    if (s.ticks.answers_tick(std::chrono::steady_clock::now())) {
      s.link->tick();
    }
  }

  static asio::awaitable<void> write(state_type& s) {
    std::shared_ptr<peer_link> link = s.link;
    while (link->is_open()) {
      std::string_view bytes = link->output.unsent();
      if (bytes.empty()) {
        co_await wait_for_output(*link);
        continue;
      }
      s.ticks.offers(std::chrono::steady_clock::now());
      std::error_code error;
      std::size_t size = co_await link->transport->write_some(asio::buffer(bytes), error);
      s.ticks.has_taken();
      link->output.wrote(size);
      s.ticks.wrote(std::chrono::steady_clock::now());
      if (error == asio::error::operation_aborted) {
        co_return; // `terminate` writes the rest
      }
      if (error) {
        link->fail("writing failed: " + error.message());
      }
    }
  }

  static asio::awaitable<void> wait_for_output(peer_link& link) {
    std::error_code woken;
    co_await link.wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }

  // Writes what is left, for a second at most.
  static asio::awaitable<void> flush(std::shared_ptr<peer_link> link) {
    asio::steady_timer late(link->executor(), std::chrono::seconds(1));
    late.async_wait([link](const std::error_code& error) {
      if (!error) {
        link->fail("closed");
      }
    });
    while (link->is_open()) {
      std::string_view bytes = link->output.unsent();
      if (bytes.empty()) {
        break;
      }
      std::error_code error;
      std::size_t size = co_await link->transport->write_some(asio::buffer(bytes), error);
      link->output.wrote(size);
      if (error) {
        break;
      }
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
