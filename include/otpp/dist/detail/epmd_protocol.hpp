// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What epmd and its clients say to each other. A request has its length before it; an answer has not, so that who reads it asks
// after each piece whether that is all.
enum class epmd_reading : std::uint8_t {
  incomplete, // as far as it goes it is an answer
  done,
  refused,  // epmd says no
  malformed // who answers is no epmd
};

inline constexpr std::uint32_t handshake_version = 6;

// A node as epmd knows it. `highest` and `lowest` are versions of the handshake.
struct epmd_entry {
  std::uint16_t port = 0;
  std::uint32_t highest = 0;
  std::uint32_t lowest = 0;

  bool has_our_version() const noexcept {
    return lowest <= handshake_version && handshake_version <= highest;
  }
};

inline std::string epmd_request(term_writer& body) {
  std::string bytes = body.take();
  term_writer whole;
  whole.two(static_cast<std::uint32_t>(bytes.size()));
  whole.raw(bytes);
  return whole.take();
}

// Registers a hidden node (ALIVE2_REQ), for as long as the connection with epmd stays open. Precondition of both requests: `alive`
// is the first part of the name of a node.
inline std::string epmd_register_request(std::string_view alive, std::uint16_t port) {
  term_writer to;
  to.byte(120);
  to.two(port);
  to.byte(72); // hidden
  to.byte(0);  // TCP
  to.two(handshake_version);
  to.two(handshake_version);
  to.two(static_cast<std::uint32_t>(alive.size()));
  to.raw(alive);
  to.two(0); // nothing more
  return epmd_request(to);
}

// Asks for the port of a node (PORT_PLEASE2_REQ). epmd closes the connection after its answer.
inline std::string epmd_look_up_request(std::string_view alive) {
  term_writer to;
  to.byte(122);
  to.raw(alive);
  return epmd_request(to);
}

// Reads the answer to a registration: ALIVE2_X_RESP, or ALIVE2_RESP of an epmd before OTP 23, whose creation has two bytes.
inline epmd_reading read_epmd_registered(std::string_view bytes, std::uint32_t& creation) noexcept {
  term_reader from(bytes);
  std::uint64_t kind = 0;
  std::uint64_t result = 0;
  std::uint64_t value = 0;
  if (!from.number(1, kind)) {
    return epmd_reading::incomplete;
  }
  if (kind != 118 && kind != 121) {
    return epmd_reading::malformed;
  }
  if (!from.number(1, result)) {
    return epmd_reading::incomplete;
  }
  if (result != 0) {
    return epmd_reading::refused;
  }
  if (!from.number(kind == 118 ? 4 : 2, value)) {
    return epmd_reading::incomplete;
  }
  creation = static_cast<std::uint32_t>(value);
  return epmd_reading::done;
}

// Reads the answer to a look-up (PORT2_RESP), as far as it is of use: the node's name, which follows, was asked for.
inline epmd_reading read_epmd_looked_up(std::string_view bytes, epmd_entry& found) noexcept {
  term_reader from(bytes);
  std::uint64_t kind = 0;
  std::uint64_t result = 0;
  std::uint64_t port = 0;
  std::uint64_t type_and_protocol = 0;
  std::uint64_t highest = 0;
  std::uint64_t lowest = 0;
  if (!from.number(1, kind)) {
    return epmd_reading::incomplete;
  }
  if (kind != 119) {
    return epmd_reading::malformed;
  }
  if (!from.number(1, result)) {
    return epmd_reading::incomplete;
  }
  if (result != 0) {
    return epmd_reading::refused;
  }
  if (!from.number(2, port) || !from.number(2, type_and_protocol) || !from.number(2, highest) ||
      !from.number(2, lowest)) {
    return epmd_reading::incomplete;
  }
  if (port == 0 || lowest > highest) {
    return epmd_reading::malformed;
  }
  found.port = static_cast<std::uint16_t>(port);
  found.highest = static_cast<std::uint32_t>(highest);
  found.lowest = static_cast<std::uint32_t>(lowest);
  return epmd_reading::done;
}

// Says why a name could not be registered. Precondition of both: the answer has ended, and is not `done`.
inline std::string epmd_register_failure(epmd_reading reading, std::string_view alive) {
  if (reading == epmd_reading::refused) {
    return "epmd has a node '" + std::string(alive) +
           "' already: end that program, or give this one another name";
  }
  return reading == epmd_reading::malformed
             ? "what listens at epmd's port gives no answer of epmd's: is it another program?"
             : "epmd closed the connection before it had answered";
}

// Says why a node was not found.
inline std::string epmd_look_up_failure(epmd_reading reading, std::string_view node) {
  if (reading == epmd_reading::refused) {
    return "epmd at its host knows no node '" + std::string(node.substr(0, node.find('@'))) +
           "': start it with a name (erl -name or -sname), or see whether it has ended";
  }
  return reading == epmd_reading::malformed
             ? "what listens at epmd's port of its host gives no answer of epmd's: is it another program?"
             : "epmd at its host closed the connection before it had answered";
}

} // namespace otpp::detail

#pragma GCC visibility pop
