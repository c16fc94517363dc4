// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/remote_processes.hpp>

#include <new>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Tells all that stand for processes of a peer.
inline void tell_connection_changed(
    node_core& core, std::string_view peer, const remote_process::connection_changed& what) noexcept {
  try {
    std::vector<pid> all;
    core.processes_elsewhere().visit([&](const known_process& each) {
      if (each.what->node == peer) {
        all.push_back(each.who);
      }
    });
    for (const pid& each : all) {
      if (auto one = each.as<remote_process>()) {
        remote_process::tell(*one, remote_process::connection_changed(what));
      }
    }
  } catch (const std::bad_alloc&) {
    // They find out when they are used.
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
