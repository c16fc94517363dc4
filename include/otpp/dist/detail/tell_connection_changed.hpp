// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/remote_processes.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Tells all that stand for processes of a peer. A new connection comes up when none of them has anything left of the one before, so
// that a loss is told before what comes next, and no link of the new one is taken for one of the old.
inline void tell_connection_changed(
    node_core& core, std::string_view peer, const std::shared_ptr<peer_link>& lost,
    const std::shared_ptr<peer_link>& made) noexcept {
  try {
    std::shared_ptr<const void> comes_up; // when the last one lets it go
    if (made) {
      comes_up = std::shared_ptr<const void>(nullptr, [made](const void*) { made->come_up(); });
    }
    std::vector<known_process> all;
    core.processes_elsewhere().visit([&](const known_process& each) {
      if (each.what->node == peer) {
        all.push_back(each);
      }
    });
    for (const known_process& each : all) {
      remote_process::connection_changed told;
      told.lost = lost;
      told.made = made;
      if (made) {
        const std::uint64_t connection = made->process.id();
        each.links->keep_until_moved(connection, comes_up);
        told.moves = std::shared_ptr<const void>(
            nullptr, [links = each.links, connection](const void*) { links->has_moved_to(connection); });
      }
      if (auto one = each.who.as<remote_process>()) {
        remote_process::tell(*one, std::move(told));
      }
    }
  } catch (const std::bad_alloc&) {
    // They find out when they are used.
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
