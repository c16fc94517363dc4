// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/wait_edge.hpp>
#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/copy_in_lock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/execution_context.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// What `processes` returns of one process. OTP's `process_info/1`.
struct process_info {
  pid who;
  std::uint64_t id = 0;                    ///< `who.id()`
  std::vector<std::string> names;          ///< All its registered names, in every registry.
  std::string_view type;                   ///< Its callbacks: `"counter"`; `"otpp::spawned"` of a coroutine.
  std::uint64_t parent = 0;                ///< The id of the process that started it with a link; else zero.
  std::optional<std::size_t> queue_length; ///< Messages that wait, if that is known: see `processes`.
  std::string_view current_message;        ///< The type of the message being handled; empty if there is none.
  bool is_supervisor = false;              ///< It has children, or may have.
  std::optional<std::size_t> mailbox_limit; ///< Nothing if its mailbox has none.
  std::vector<std::uint64_t> links;         ///< The ids of the processes with which it is linked.
  std::vector<std::uint64_t> monitors;      ///< The ids of those that it monitors.
  std::vector<std::uint64_t> monitored_by;  ///< The ids of those that monitor it.
  /// The ids of those for which its handler waits, if it certainly does: of several, the first eight. In a cycle of these
  /// nobody goes on before a timeout (`errc::deadlock`).
  std::vector<std::uint64_t> waits_for;
  const asio::execution_context* context = nullptr; ///< On which it runs. It may have gone: do not follow it.
};

namespace detail {

// A name, copied under a lock.
class name_copy {
 public:
  bool take(std::string_view text) noexcept {
    size_ = (std::min)(text.size(), text_.size());
    std::copy_n(text.begin(), size_, text_.begin());
    return true;
  }
  std::string text() const { return std::string(text_.data(), size_); }

 private:
  std::array<char, 255> text_; // registry::longest_name
  std::size_t size_ = 0;
};

inline std::vector<std::string> names_of(const server_core& server) {
  std::vector<std::string> result;
  name_copy one;
  while (server.copy_name(result.size(), one)) {
    result.push_back(one.text());
  }
  std::reverse(result.begin(), result.end()); // the list has the newest first
  return result;
}

// Whom a handler waits for, copied while no slot can go.
class awaited_ids final : public awaited_visitor {
 public:
  void operator()(const intrusive_ptr<process>& server, bool) noexcept override {
    if (server && count_ != ids_.size()) {
      ids_[count_++] = server->id();
    }
  }

  std::vector<std::uint64_t> copy() const { return {ids_.data(), ids_.data() + count_}; }

 private:
  std::array<std::uint64_t, 8> ids_{};
  std::size_t count_ = 0;
};

inline std::vector<std::uint64_t> awaited_by(server_core& server) {
  awaited_ids found;
  if (server.edge().slot()) { // else nobody has to wait for a look
    wait_edge::look looking;
    if (const reply_slot* slot = server.edge().slot()) {
      slot->visit_awaited(found);
    }
  }
  return found.copy();
}

inline void add_relations(process_info& to, relations& its) {
  struct related {
    std::uint64_t other;
    bool is_link;
    bool is_maker;
  };
  std::vector<related> all = copy_in_lock<related>([&](auto keep) {
    relation::visit_all(its, [&](std::uint64_t other, bool is_link, bool is_maker) noexcept {
      keep(related{other, is_link, is_maker});
    });
  });
  for (const related& one : all) {
    (one.is_link ? to.links : one.is_maker ? to.monitors : to.monitored_by).push_back(one.other);
  }
}

inline process_info info_of(const intrusive_ptr<server_core>& server) {
  process_info result;
  result.who = access::make<pid>(server);
  result.id = server->id();
  result.names = names_of(*server);
  result.type = server->type_name();
  result.parent = relations::parent_of(*server);
  if (auto lengths = server->queue_length()) {
    result.queue_length = lengths->now;
  }
  result.current_message = server->observed().current_message();
  if (std::size_t limit = server->queue().limit()) {
    result.mailbox_limit = limit;
  }
  if (relations* its = server->related()) {
    result.is_supervisor = its->supervises();
    add_relations(result, *its);
  }
  result.waits_for = awaited_by(*server);
  result.context = &server->context().context();
  return result;
}

} // namespace detail

/// Returns all living processes of every context, those of one context in the order in which they were
/// started. OTP's `processes/0`, with the information of `process_info/1`.
///
/// A snapshot, whose parts may be stale: by the time that it is read a process may have ended, and another
/// may have started. `id`, `type` and `parent` never change; the names are those at that moment.
/// `queue_length` is exact if messages are counted, which is so while `statistics` is on (sys.hpp) and if the
/// mailbox has a limit, and zero for a server that sleeps. For other servers it is not known, because
/// counting would slow down every message; `get_status` asks the server itself. `current_message` is the type
/// of the message whose handler runs or waits, or ran last if the server continued with the next message.
/// A relation is listed from both ends for a moment after one of them has ended.
///
/// @par Errors
/// std::bad_alloc.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Lifetime
/// The references in it keep no server alive. A context that is being destroyed is not included.
///
/// @par Complexity
/// Linear in the number of processes. A context's lock is held while its processes are counted: this does not
/// delay messages, but a start, an end and a waiting call. Meant for people and tools, not for use with each
/// message.
///
/// @par Example
/// @code
/// for (const otpp::process_info& one : otpp::processes()) {
///   std::cout << one.who << ' ' << one.type << ' ' << one.current_message << '\n';
/// }
/// @endcode
inline std::vector<process_info> processes() {
  using context_ptr = detail::intrusive_ptr<detail::context_state>;
  using server_ptr = detail::intrusive_ptr<detail::server_core>;
  std::vector<context_ptr> contexts = detail::copy_in_lock<context_ptr>([](auto keep) {
    detail::context_state::each(
        [&](detail::context_state& context) noexcept { keep(context_ptr(&context)); });
  });
  std::reverse(contexts.begin(), contexts.end()); // the newest context is listed first
  std::vector<process_info> result;
  for (const context_ptr& context : contexts) {
    std::vector<server_ptr> servers = detail::copy_in_lock<server_ptr>([&](auto keep) {
      context->each_process(
          [&](detail::process& one) noexcept { keep(server_ptr(static_cast<detail::server_core*>(&one))); });
    });
    for (const server_ptr& server : servers) {
      result.push_back(detail::info_of(server));
    }
  }
  return result;
}

} // namespace otpp

#pragma GCC visibility pop
