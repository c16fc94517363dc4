// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/copy_in_lock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How long run() waits for each server to end; a supervisor's default is the same.
inline constexpr duration shutdown_time = std::chrono::seconds(5);

// The servers of a program that are still to be stopped: those on its own context, and those on other
// contexts that were started from there (relations::program).
class servers_left {
 public:
  explicit servers_left(intrusive_ptr<context_state> program) noexcept : program_(std::move(program)) {}

  bool is_at_home(const server_core& one) const noexcept { return &one.context() == program_.get(); }

  // Returns the newest. Servers that were started with a link are ended by their parents, and come only after
  // all others, if they outlive those. Returns null if none is left.
  intrusive_ptr<server_core> newest() const {
    intrusive_ptr<server_core> found =
        newest_if([](const server_core& one) { return relations::parent_of(one) == 0; });
    return found ? found : newest_if([](const server_core&) { return true; });
  }

  void give_up(const server_core& one) { given_up_.push_back(one.id()); }

  // Gives up all servers of a context on which nothing runs.
  void give_up_all_beside(const server_core& one) { stuck_.emplace_back(&one.context()); }

 private:
  template <class Wanted>
  intrusive_ptr<server_core> newest_if(Wanted wanted) const {
    using context_ptr = intrusive_ptr<context_state>;
    std::vector<context_ptr> contexts = copy_in_lock<context_ptr>([](auto keep) {
      context_state::each([&](context_state& context) noexcept { keep(context_ptr(&context)); });
    });
    intrusive_ptr<process> best;
    for (const context_ptr& context : contexts) {
      intrusive_ptr<process> found = context->newest([&](const process& one) {
        const auto& server = static_cast<const server_core&>(one);
        return is_left(server) && wanted(server);
      });
      if (found && (!best || best->id() < found->id())) {
        best = std::move(found);
      }
    }
    return intrusive_ptr<server_core>(static_cast<server_core*>(best.get()));
  }

  bool is_left(const server_core& one) const noexcept {
    relations* its = one.related();
    bool is_ours = is_at_home(one) || (its && its->program == program_);
    return is_ours && std::find(given_up_.begin(), given_up_.end(), one.id()) == given_up_.end() &&
           std::none_of(
               stuck_.begin(), stuck_.end(), [&](const auto& each) { return each.get() == &one.context(); });
  }

  intrusive_ptr<context_state> program_;
  std::vector<std::uint64_t> given_up_;
  std::vector<intrusive_ptr<context_state>> stuck_;
};

// Stops the servers of a program, newest first, including any that are started meanwhile. A server that takes
// too long is left to its context. A supervisor may take as long as its children may; but whether anybody runs
// another context than the program's own, nobody knows, so that a supervisor there has to be seen at work.
inline asio::awaitable<void> stop_all(intrusive_ptr<context_state> program, duration within = shutdown_time) {
  servers_left left(std::move(program));
  while (intrusive_ptr<server_core> server = left.newest()) {
    relations* its = server->related();
    bool is_supervisor = its && its->supervises();
    bool is_at_home = left.is_at_home(*server);
    duration patience = is_supervisor && is_at_home ? infinite : within;
    try {
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
          initiate_stop(), asio::use_awaitable, server, exit_reason::shutdown(), patience);
    } catch (const error& e) {
      bool is_late = e.code() == errc::timeout; // else it ended for another reason, which has been reported
      bool is_at_work = !server->is_starting() && !server->observed().is_asleep();
      if (!is_late || (is_supervisor && is_at_work)) {
        continue;
      }
      std::fprintf(
          stderr, "otpp: server %s did not end within 5 s; it is %s\n", server->describe().c_str(),
          is_at_home ? "killed" : "left as it is");
      is_at_home || is_at_work ? left.give_up(*server) : left.give_up_all_beside(*server);
    }
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
