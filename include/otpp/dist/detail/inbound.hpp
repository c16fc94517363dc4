// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/term/detail/reader.hpp>

#include <cstdint>
#include <memory>
#include <typeinfo>

#pragma GCC visibility push(default)

namespace otpp::detail {

class inbound_call;

// What became of a message from a peer.
enum class inbound_result : std::uint8_t {
  taken,
  unknown, // it fits none that the server takes
  refused, // there is no such process any more, or no room in its mailbox
};

// How messages from peers reach a process with callbacks of one class: read by its list of messages, and sent as any other. It
// never waits. A reader is at the message, which is the last in it.
struct inbound {
  const std::type_info* callbacks;
  inbound_result (*cast)(const pid& to, term_reader message);
  inbound_result (*info)(const pid& to, term_reader message);
  // Answers the call later if it is taken.
  inbound_result (*call)(const pid& to, term_reader message, const std::shared_ptr<inbound_call>& from);
};

} // namespace otpp::detail

#pragma GCC visibility pop
