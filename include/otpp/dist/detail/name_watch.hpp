// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The callbacks of a process that one of ours monitors in place of a name on another node. It monitors the name there, connects for
// that if need be, and ends as the other does: also if nobody has the name, or the connection is lost. When nobody monitors it any
// more it takes its monitor back.
class name_watch {
 public:
  struct begin {};
  struct look {}; // whether it is still monitored

  // The other has ended. The reason is a term.
  struct ended {
    std::string reason;
  };

  struct state_type {
    std::shared_ptr<node_core> core;
    std::string peer;
    std::string name;
    std::shared_ptr<peer_link> by; // by which it is monitored
    ref_view ref;
  };

  static init_result<state_type> init(std::shared_ptr<node_core> core, std::string peer, std::string name) {
    send_interval<look>(core->how().tick() / 12, self<name_watch>());
    return init_result<state_type>(state_type{std::move(core), std::move(peer), std::move(name), nullptr, {}})
        .then(begin());
  }

  static asio::awaitable<void> handle_continue(begin, state_type& s) {
    std::exception_ptr why;
    s.by = s.core->link_with(s.peer);
    if (!s.by && s.core->how().connects_by_use()) {
      try {
        connect_peer wanted(s.peer);
        co_await otpp::call(s.core->process, wanted, infinite);
        s.by = s.core->link_with(s.peer);
      } catch (...) {
        why = std::current_exception();
      }
    }
    if (!s.by || !monitor_by(s)) {
      end(why ? why : peer_error(s.peer, s.by ? "it was lost at once" : "there is none"));
    }
  }

  static void handle_cast(const ended& told, const state_type& s) {
    end(reason_of_end(told.reason, '{' + s.name + ",'" + s.peer + "'}"));
  }

  // The connection is lost.
  static void handle_info(const down& lost, const state_type& s) {
    end(peer_error_of(lost.reason, s.peer, "it is lost"));
  }

  static outcome<> handle_info(look, state_type& s) {
    bool is_monitored = false;
    relation::visit_all(*running_process("look")->related(), [&](std::uint64_t, bool is_link, bool is_mine) {
      is_monitored |= !is_link && !is_mine;
    });
    if (is_monitored) {
      return {};
    }
    if (s.by && s.by->monitors_there.take(s.ref)) {
      term_writer to;
      put_demonitor_p(to, watcher(s), std::string_view(s.name), s.ref);
      send(s, to);
    }
    return stop();
  }

 private:
  // By an exit signal of its own, because that is no crash.
  static void end(exit_reason why) { exit(self(), std::move(why)); }

  static pid_view watcher(const state_type& s) noexcept { return s.core->identity_of(s.core->process.id()); }

  // Returns false if the connection is lost.
  static bool monitor_by(state_type& s) {
    monitor(s.by->process);
    s.ref = s.core->new_ref();
    s.by->monitors_there.add(s.ref, self());
    term_writer to;
    put_monitor_p(to, watcher(s), std::string_view(s.name), s.ref);
    return send(s, to);
  }

  static bool send(const state_type& s, const term_writer& what) {
    std::string frame;
    append_frame(frame, what.bytes());
    return s.by->send_frames(std::move(frame), peer_output::any_line);
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
