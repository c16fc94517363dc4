// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/asked_resolver.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/epmd_client.hpp>
#include <otpp/dist/detail/handshake.hpp>
#include <otpp/dist/detail/host_lookup.hpp>
#include <otpp/dist/detail/incoming_frames.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/dist/detail/peer_transport.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/process/self.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Shakes hands over a transport, as one of the two roles. What comes behind the handshake stays in `in`.
class peer_handshake {
 public:
  peer_handshake(node_core& core, peer_transport& transport, incoming_frames& in) noexcept
      : core_(core), transport_(transport), in_(in) {}

  // What is said when it takes too long.
  std::string late() {
    if (std::string why = transport_.failure(); !why.empty()) {
      return failure_text(why);
    }
    if (has_yielded_) {
      return failure_text("it wanted its own connection to be used, and that takes too long");
    }
    if (!role_) {
      return failure_text("it took longer than node_options::setup until somebody answered");
    }
    role_->timed_out();
    return role_->failure().text;
  }

  // With a peer that has begun. Throws if it fails: an otpp::error, or that of the socket if the peer has not even said its name.
  asio::awaitable<peer_identity> accept(pid node) {
    from_ = transport_.remote_endpoint();
    std::error_code error;
    co_await transport_.begin({}, error);
    if (error) {
      fail(error);
    }
    accepting_handshake shaking(side(core_.cookie), node_core::random_number());
    const role_while mine(*this, shaking);
    while (shaking.progress() != handshake_progress::done) {
      co_await send(shaking);
      if (shaking.progress() == handshake_progress::failed) {
        fail(shaking);
      }
      if (shaking.progress() == handshake_progress::asking) {
        shaking.use_cookie(core_.cookie_for(shaking.peer().name));
        admit_peer asked{self(), shaking.peer().name, from_};
        accept_status status = co_await otpp::call(node, asked, infinite);
        if (std::string fault = transport_.fault_of(shaking.peer().name); !fault.empty()) {
          shaking.answer(accept_status::not_allowed);
          co_await send(shaking);
          throw otpp::error(errc::no_connection, failure_text(fault));
        }
        shaking.answer(status);
        continue;
      }
      co_await take_next(shaking);
    }
    co_await send(shaking);
    co_return identity(shaking);
  }

  // With a peer that we connect to. Returns one without a name if the peer wants its own connection to be used, which is to
  // come. Throws an otpp::error.
  asio::awaitable<peer_identity> connect(std::string peer) {
    peer_ = peer;
    asio::ip::tcp::endpoint where = co_await find(peer);
    std::error_code error;
    co_await transport_.connect(where, error);
    if (error) {
      std::rethrow_exception(peer_error(
          peer, "nobody answers at " + where.address().to_string() + " port " + std::to_string(where.port()) +
                    " (" + error.message() + "): it may have ended, or a firewall is between"));
    }
    co_await transport_.begin(peer, error);
    if (error) {
      fail(error);
    }
    connecting_handshake shaking(side(core_.cookie_for(peer)), peer, node_core::random_number());
    const role_while mine(*this, shaking);
    while (shaking.progress() != handshake_progress::done) {
      co_await send(shaking);
      if (shaking.progress() == handshake_progress::failed) {
        if (shaking.failure().cause == handshake_cause::used_other) {
          has_yielded_ = true;
          co_return peer_identity();
        }
        fail(shaking);
      }
      if (shaking.progress() == handshake_progress::asking) {
        peer_has_another told{peer};
        bool is_lost = co_await otpp::call(core_.process, told, infinite);
        shaking.go_on(is_lost);
        continue;
      }
      co_await take_next(shaking);
    }
    co_return identity(shaking);
  }

 private:
  class role_while {
   public:
    role_while(peer_handshake& of, handshake_role& role) noexcept : of_(of) { of.role_ = &role; }
    role_while(const role_while&) = delete;
    role_while& operator=(const role_while&) = delete;
    ~role_while() { of_.role_ = nullptr; }

   private:
    peer_handshake& of_;
  };

  handshake_side side(std::string cookie) const {
    handshake_side mine;
    mine.name = core_.name;
    mine.cookie = std::move(cookie);
    mine.creation = core_.creation;
    return mine;
  }

  static peer_identity identity(const handshake_role& role) {
    const handshake_peer& peer = role.peer();
    bool takes_payload = (peer.flags & handshake_flags::exit_payload) != 0;
    return {
        peer.name, takes_payload ? reason_form::as_payload : reason_form::in_tuple,
        (peer.flags & handshake_flags::fragments) != 0};
  }

  [[noreturn]] void fail(const handshake_role& role) const {
    const handshake_failure& why = role.failure();
    if (why.stage == handshake_stage::name && why.cause == handshake_cause::closed &&
        !transport_.is_no_scan()) {
      throw std::system_error(asio::error::eof);
    }
    throw error(errc::no_connection, why.text);
  }

  // By the transport.
  [[noreturn]] void fail(const std::error_code& why) const {
    std::string text = transport_.failure();
    if (text.empty()) {
      throw std::system_error(why);
    }
    throw error(errc::no_connection, failure_text(text));
  }
  std::string failure_text(std::string_view why) const {
    std::string text = "otpp: ";
    if (!peer_.empty()) {
      text += "could not connect to '" + peer_ + "': ";
    } else if (role_ && !role_->peer().name.empty()) {
      text += "refused a connection from '" + role_->peer().name + "': ";
    } else {
      text += "refused a connection from somebody at " + from_.address().to_string() + ": ";
    }
    return text.append(why);
  }

  asio::awaitable<void> send(handshake_role& role) {
    std::string bytes;
    for (const std::string& each : role.take_outgoing()) {
      append_frame(bytes, each, transport_.size_of_length());
    }
    std::string_view left = bytes;
    std::error_code error; // reading will tell
    do {                   // once at least, so that others go on meanwhile
      std::size_t size = co_await transport_.write_some(asio::buffer(left), error);
      left.remove_prefix(size);
    } while (!left.empty() && !error);
  }

  template <class Role>
  asio::awaitable<void> take_next(Role& shaking) {
    std::string_view payload;
    bool is_there = co_await read(payload);
    if (is_there) {
      shaking.take(payload);
    } else if (std::string why = transport_.failure(); !why.empty()) {
      throw error(errc::no_connection, failure_text(why));
    } else {
      shaking.closed();
    }
  }

  // Returns false if the peer has closed the connection.
  asio::awaitable<bool> read(std::string_view& payload) {
    while (true) {
      auto found = in_.next(transport_.size_of_length(), handshake_longest, payload);
      if (found == incoming_frames::found::frame) {
        co_return true;
      }
      if (found == incoming_frames::found::too_long) {
        payload = {too_long.data(), too_long.size()}; // whatever it is
        co_return true;
      }
      std::span<char> room = in_.room();
      std::error_code error;
      std::size_t size = co_await transport_.read_some(asio::buffer(room.data(), room.size()), error);
      if (error) {
        co_return false;
      }
      in_.filled(size);
    }
  }

  // Where the peer listens: as the resolver says, or the port mapper of its host.
  asio::awaitable<asio::ip::tcp::endpoint> find(std::string peer) {
    const dist::node_options& how = core_.how();
    if (how.resolver()) {
      asio::awaitable<asio::ip::tcp::endpoint> asked = asked_resolver::find(core_.shared_from_this(), peer);
      asio::ip::tcp::endpoint where = co_await std::move(asked);
      co_return where;
    }
    if (!how.epmd()) {
      std::rethrow_exception(peer_error(
          peer,
          "this node does without epmd, so that it must be told where others listen: "
          "node_options::resolver"));
    }
    asio::ip::tcp::endpoint mapper = *how.epmd();
    node_name parts;
    std::string_view fault = split_node_name(peer, parts);
    if (!fault.empty()) {
      std::rethrow_exception(
          peer_error(peer, std::string("this is no name of a node: it ") + std::string(fault)));
    }
    if (parts.host != parse_node_name(core_.name).host) {
      asio::ip::address address = co_await resolve(peer, std::string(parts.host));
      mapper.address(address);
    }
    epmd_client epmd(transport_.executor(), mapper, how.setup());
    std::uint16_t port = co_await epmd.look_up(peer);
    co_return asio::ip::tcp::endpoint(mapper.address(), port);
  }

  static asio::awaitable<asio::ip::address> resolve(std::string peer, std::string host) {
    std::error_code why;
    try {
      asio::ip::address found = co_await host_lookup<>::find(std::move(host));
      co_return found;
    } catch (const std::system_error& error) {
      why = error.code();
    }
    std::rethrow_exception(peer_error(peer, "its host has no address (" + why.message() + ")"));
  }

  static constexpr std::array<char, handshake_longest + 1> too_long{};

  node_core& core_;
  peer_transport& transport_;
  incoming_frames& in_;
  std::string peer_;               // with whom we connect
  asio::ip::tcp::endpoint from_;   // of a peer that has begun
  handshake_role* role_ = nullptr; // while it goes on
  bool has_yielded_ = false;
};

} // namespace otpp::detail

#pragma GCC visibility pop
