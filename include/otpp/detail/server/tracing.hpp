// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/message_tag.hpp>
#include <otpp/detail/runtime/carried_context.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/sys/trace_event.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline std::uint64_t next_sequence() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Returns the trace context of what runs now: that which its coroutine carries, or that of the message that
// is handled.
inline trace_context context_here(const turn* here) noexcept {
  if (!here || !here->running()) {
    return {};
  }
  if (const carried_context* one = here->carried()) {
    return one->value();
  }
  return static_cast<const server_core*>(here->running())->observed().context();
}

// Called before a message is sent while somebody traces every process, without a lock held.
OTPP_NOINLINE inline void server_core::trace_sent(envelope& item) noexcept {
  if (item.is_system || item.has_tag() ||
      trace_call::is_running()) { // with a tag it has found no room, and is sent again
    return;
  }
  try {
    turn* here = turn::current();
    const auto* from = static_cast<const server_core*>(here ? here->running() : nullptr);
    auto tag = std::make_unique<message_tag>();
    tag->sequence = next_sequence();
    tag->from = from ? from->id() : 0;
    tag->context = context_here(here);
    {
      context_guard inside(context());
      tag->sent = inside ? context().now() : std::chrono::steady_clock::now();
    }
    const std::string server = describe();
    trace_event event;
    event.what = trace_event::kind::sent;
    event.id = id();
    event.server = server;
    event.type = type_name();
    event.message = item.message_type();
    event.is_call = !item.is_lost_silently();
    event.where = item.where();
    event.time = tag->sent;
    event.sequence = tag->sequence;
    event.from = tag->from;
    event.context = tag->context;
    {
      const trace_call now;
      topic<trace_capture>::tell({event, &tag->context});
      event.context = tag->context;
      topic<trace_event>::tell(event);
    }
    item.set_tag(std::move(tag));
  } catch (...) {
    // Without memory it is not traced.
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
