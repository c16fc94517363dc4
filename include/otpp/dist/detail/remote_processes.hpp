// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/remote_links.hpp>
#include <otpp/dist/detail/stand_in_table.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A process elsewhere, as the wire names it.
struct remote_identity {
  remote_identity() = default;
  explicit remote_identity(const pid_view& one)
      : node(one.node), id(one.id), serial(one.serial), creation(one.creation) {}

  pid_view view() const noexcept { return {node, id, serial, creation, {}}; }

  // As Erlang prints a pid, with the node in place of its number, and the creation, as a restarted node has the same ids.
  static std::string text_of(const pid_view& one) {
    return '<' + std::string(one.node) + '.' + std::to_string(one.id) + '.' + std::to_string(one.serial) +
           '/' + std::to_string(one.creation) + '>';
  }

  // What text_of() has made. Precondition: it has.
  static remote_identity of_text(std::string_view text) {
    remote_identity made;
    text = text.substr(1, text.size() - 2);
    for (auto [mark, number] :
         {std::pair('/', &made.creation), std::pair('.', &made.serial), std::pair('.', &made.id)}) {
      std::size_t at = text.rfind(mark);
      std::from_chars(text.data() + at + 1, text.data() + text.size(), *number);
      text = text.substr(0, at);
    }
    made.node = text;
    return made;
  }

  std::string node;
  std::uint32_t id = 0;
  std::uint32_t serial = 0;
  std::uint32_t creation = 0;
};

struct known_process {
  pid who; // stands for it
  std::shared_ptr<const remote_identity> what;
  std::shared_ptr<remote_links> links;
};

// The processes elsewhere that are known here, by remote_identity::text_of().
using remote_processes = stand_in_table<known_process>;

} // namespace otpp::detail

#pragma GCC visibility pop
