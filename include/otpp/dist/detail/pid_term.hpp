// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/process_elsewhere.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/remote_processes.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A process of ours, which other nodes can reach from then on. Nobody is `undefined`.
template <>
struct term_codec<pid> {
  static constexpr bool is_codec = true;

  static void put(term_writer& to, const pid& value) {
    if (!value) {
      to.atom("undefined");
      return;
    }
    if (!to.reader) {
      throw std::invalid_argument("otpp: a pid has an Erlang form only in what a node sends");
    }
    auto& node = *static_cast<node_core*>(to.reader);
    if (std::optional<remote_identity> elsewhere = identity_elsewhere(value)) {
      put_pid(to, elsewhere->view());
      return;
    }
    node.exports().give_out(value);
    put_pid(to, node.identity_of(value.id()));
  }

  // A process of this node that has ended, or is not known, is nobody. For one elsewhere a process here stands, which is the same
  // as long as that lives.
  static bool get(term_reader& from, pid& value) {
    pid_view one;
    if (from.tag() != term_tag::new_pid) {
      value = pid();
      return from.is_atom("undefined");
    }
    if (!from.writer || !get_pid(from, one)) {
      return false;
    }
    auto& node = *static_cast<node_core*>(from.writer);
    if (one.node != node.name) {
      value = process_elsewhere(node, one).who;
      return static_cast<bool>(value);
    }
    std::uint64_t id = node.process_of(one);
    value = id == 0 ? pid() : node.exports().find(id).who;
    return true;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
