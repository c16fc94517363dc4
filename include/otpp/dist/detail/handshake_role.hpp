// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/handshake_failure.hpp>
#include <otpp/dist/detail/handshake_flags.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/md5.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What we say of ourselves. The name must be the name of a node.
struct handshake_side {
  std::string name;
  std::string cookie;
  std::uint32_t creation = 0;
  std::uint64_t flags = handshake_flags::announced;
};

// What the other has said of itself.
struct handshake_peer {
  std::string name;
  std::uint32_t creation = 0;
  std::uint64_t flags = 0; // those that both have
};

enum class handshake_progress : std::uint8_t {
  waiting, // for a payload
  asking,  // for a decision of the owner's
  done,
  failed
};

// What both roles have. A role is given payloads, without their lengths, and says what to send; it knows neither sockets nor
// clocks. After each step send what take_outgoing() returns, each with a length of its own of two bytes, or of four over TLS; also
// after a failure, before the connection is closed.
class handshake_role {
 public:
  handshake_progress progress() const noexcept { return progress_; }
  const handshake_peer& peer() const noexcept { return peer_; }          // once it is done
  const handshake_failure& failure() const noexcept { return failure_; } // once it has failed
  std::vector<std::string> take_outgoing() noexcept { return std::exchange(outgoing_, {}); }

  // The peer has closed the connection.
  void closed() { give_up(handshake_cause::closed); }
  // The owner has waited long enough, and closes the connection.
  void timed_out() { give_up(handshake_cause::timed_out); }

 protected:
  // The challenge must be one that nobody can guess.
  handshake_role(
      handshake_side mine, std::uint32_t challenge, handshake_stage stage, bool is_connecting) noexcept
      : mine_(std::move(mine)), challenge_(challenge), stage_(stage), is_connecting_(is_connecting) {}
  ~handshake_role() = default;

  // Whether a payload is what is waited for, as far as that can be seen without reading it.
  bool may_take(std::string_view payload) {
    if (progress_ == handshake_progress::failed) {
      return false;
    }
    if (progress_ != handshake_progress::waiting) {
      fail(handshake_cause::malformed);
      return false;
    }
    if (payload.size() > handshake_longest) {
      fail(handshake_cause::too_long);
      return false;
    }
    return true;
  }

  void send(std::string payload) { outgoing_.push_back(std::move(payload)); }
  void send_status(std::string_view status) { send('s' + std::string(status)); }

  // Our name, as both send it: the one who accepts with a challenge.
  void send_name(bool with_challenge) {
    term_writer to;
    to.byte('N');
    put_flags(to, mine_.flags);
    if (with_challenge) {
      to.four(challenge_);
    }
    to.four(mine_.creation);
    to.two(static_cast<std::uint32_t>(mine_.name.size()));
    to.raw(mine_.name);
    send(to.take());
  }

  // The peer's. What follows the name is for later versions, and ignored.
  bool read_name(std::string_view payload, std::string_view& name, std::uint32_t* their_challenge) {
    if (!payload.empty() && payload[0] == 'n') {
      return fail(handshake_cause::old_version);
    }
    term_reader from(payload);
    std::uint64_t kind = 0;
    std::uint64_t flags = 0;
    if (!from.number(1, kind) || kind != 'N' || !from.number(8, flags) ||
        (their_challenge != nullptr && !get_four(from, *their_challenge)) ||
        !get_four(from, peer_.creation) || !from.counted(2, name)) {
      return fail(handshake_cause::malformed);
    }
    peer_.flags = handshake_flags::expanded(flags);
    return true;
  }

  bool check_flags() {
    std::uint64_t missing = handshake_flags::missing(peer_.flags);
    if (missing != 0) {
      handshake_details known;
      known.missing = missing;
      return fail(handshake_cause::missing_flags, known);
    }
    peer_.flags &= mine_.flags;
    return true;
  }

  md5_digest digest_for(std::uint32_t challenge) const { return cookie_digest(mine_.cookie, challenge); }

  static std::string_view text_of(const md5_digest& digest) noexcept {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }

  void wait_for(handshake_stage stage) noexcept {
    stage_ = stage;
    progress_ = handshake_progress::waiting;
  }

  // Returns false.
  bool fail(handshake_cause cause, handshake_details known = {}) {
    progress_ = handshake_progress::failed;
    known.is_connecting = is_connecting_;
    known.our_name = mine_.name;
    known.peer = peer_.name;
    failure_ = explain_handshake(stage_, cause, known);
    return false;
  }

  handshake_progress finish() noexcept { return progress_ = handshake_progress::done; }

  handshake_side mine_;
  std::uint32_t challenge_;
  handshake_stage stage_;
  handshake_progress progress_ = handshake_progress::waiting;
  handshake_peer peer_;

 private:
  static void put_flags(term_writer& to, std::uint64_t flags) {
    to.four(static_cast<std::uint32_t>(flags >> 32));
    to.four(static_cast<std::uint32_t>(flags & 0xFFFFFFFF));
  }

  void give_up(handshake_cause cause) {
    if (progress_ == handshake_progress::waiting || progress_ == handshake_progress::asking) {
      fail(cause);
    }
  }

  bool is_connecting_;
  handshake_failure failure_;
  std::vector<std::string> outgoing_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
