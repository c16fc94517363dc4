// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_outbox.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/dist/detail/remote_links.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/remote_processes.hpp>
#include <otpp/dist/detail/start_with_node.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The process elsewhere for which one here stands; nothing if it stands for none. Its name says so, which stays when it has ended.
inline std::optional<remote_identity> identity_elsewhere(const pid& who) {
  if (!who || !has_callbacks<remote_process>(*access::core(who))) {
    return std::nullopt;
  }
  std::string text = who.describe(); // between quotation marks
  return remote_identity::of_text(std::string_view(text).substr(1, text.size() - 2));
}

// Returns what stands here for a process elsewhere, and starts it if it is the first time that this is heard of. Nobody if there
// are too many, or the node is closed.
inline known_process process_elsewhere(node_core& core, const pid_view& one) {
  remote_processes& all = core.processes_elsewhere();
  std::string name = remote_identity::text_of(one);
  known_process known = all.get(name);
  const std::size_t most = core.how().limits().processes;
  if (known.who || all.size_of(one.node) >= most || all.size() / 4 >= most) {
    return known;
  }
  known_process made{{}, std::make_shared<const remote_identity>(one), nullptr};
  made.who =
      start_with_node<remote_process>(core, name, peer_outbox::mailbox_limit, core.shared_from_this(), made);
  if (!made.who) {
    return {};
  }
  made.links = gen_server<remote_process>::callbacks_of(*access::core(made.who)).links;
  known = all.enter(name, made.what->node, made);
  if (known.who != made.who) { // another thread was first
    remote_process::tell(
        access::make<server_ref<remote_process>>(access::core(made.who)), remote_process::ended{});
  }
  return known;
}

inline void send_in_order(peer_link& link, const pid_view& whom) {
  remote_processes& all = link.node().processes_elsewhere();
  if (all.size() != 0 && link.writer().bytes().size() <= link.node().how().limits().frame) {
    pid stands_for_it = all.get(remote_identity::text_of(whom)).who;
    std::optional<server_ref<remote_process>> typed = stands_for_it.as<remote_process>();
    if (typed) {
      remote_process::passed_on told{link.shared_from_this(), {}};
      append_frame(told.frames, link.writer().bytes());
      if (remote_process::tell(*typed, std::move(told))) {
        return;
      }
      if (!stands_for_it.has_ended()) {
        throw std::bad_alloc(); // it must not come before what waits there
      }
    }
  }
  link.send(remote_process::line_to(whom));
}

} // namespace otpp::detail

#pragma GCC visibility pop
