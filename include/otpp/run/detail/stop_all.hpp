// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/copy_in_lock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/query.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How long run() waits for each server to end; a supervisor's default is the same.
inline constexpr duration shutdown_time = std::chrono::seconds(5);

// The servers that are still to be stopped: those of one context, and, at the end of a program, those on other
// contexts that were started from its own (relations::program).
class servers_left {
 public:
  enum class of : std::uint8_t { program, context };

  // `is_run`: somebody runs the context, which is known if this is called there.
  servers_left(intrusive_ptr<context_state> home, of whom, bool is_run) noexcept
      : home_(std::move(home)), whom_(whom), is_run_(is_run) {}

  bool is_at_home(const server_core& one) const noexcept { return is_run_ && is_here(one); }

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

  bool is_here(const server_core& one) const noexcept { return &one.context() == home_.get(); }

  bool is_left(const server_core& one) const noexcept {
    relations* its = one.related();
    bool is_ours = is_here(one) || (whom_ == of::program && its && its->program == home_);
    return is_ours && std::find(given_up_.begin(), given_up_.end(), one.id()) == given_up_.end() &&
           std::none_of(
               stuck_.begin(), stuck_.end(), [&](const auto& each) { return each.get() == &one.context(); });
  }

  intrusive_ptr<context_state> home_;
  of whom_;
  bool is_run_;
  std::vector<std::uint64_t> given_up_;
  std::vector<intrusive_ptr<context_state>> stuck_;
};

// Stops servers, newest first, including any that are started meanwhile. A server that takes too long is told to
// `late`, and left to its context. A supervisor may take as long as its children may; but whether anybody runs
// another context than this coroutine's own, nobody knows, so that a supervisor there has to be seen at work.
template <class Late>
asio::awaitable<void> stop_each(servers_left left, duration within, Late late) {
  while (intrusive_ptr<server_core> server = left.newest()) {
    relations* its = server->related();
    bool is_supervisor = its && its->supervises();
    bool is_at_home = left.is_at_home(*server);
    duration patience = is_supervisor && is_at_home ? infinite : within;
    try {
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
          initiate_stop(), asio::use_awaitable, server, exit_reason::shutdown(), patience);
    } catch (const error& e) {
      if (e.code() == errc::calling_self || e.code() == errc::deadlock) {
        throw; // it would be tried again forever
      }
      bool is_late = e.code() == errc::timeout; // else it ended for another reason, which has been reported
      bool is_at_work = !server->is_starting() && !server->observed().is_asleep();
      if (!is_late || (is_supervisor && is_at_work)) {
        continue;
      }
      late(*server, is_at_home);
      is_at_home || is_at_work ? left.give_up(*server) : left.give_up_all_beside(*server);
    }
  }
}

// Stops the servers of a program.
inline asio::awaitable<void> stop_all(intrusive_ptr<context_state> program, duration within = shutdown_time) {
  auto print = [](const server_core& server, bool is_at_home) {
    std::fprintf(
        stderr, "otpp: server %s did not end within 5 s; it is %s\n", server.describe().c_str(),
        is_at_home ? "killed" : "left as it is");
  };
  co_await stop_each(servers_left(std::move(program), servers_left::of::program, true), within, print);
}

// Stops the servers of a context.
inline asio::awaitable<void> stop_context(intrusive_ptr<context_state> context, duration within) {
  asio::any_io_executor mine = co_await asio::this_coro::executor;
  const auto* serial = executor_target<serial_executor>(mine);
  if (serial && &serial->owner()->context() == context.get()) {
    std::string who = serial->owner()->describe();
    std::rethrow_exception(make_error(errc::calling_self, "stop_all", {}, who));
  }
  bool is_run = &asio::query(mine, asio::execution::context) == &context->context();
  std::string names;
  auto note = [&names](const server_core& server, bool) {
    names += (names.empty() ? "" : ", ") + server.describe();
  };
  co_await stop_each(servers_left(std::move(context), servers_left::of::context, is_run), within, note);
  if (!names.empty()) {
    std::rethrow_exception(make_error(errc::timeout, "stop_all", {}, names));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
