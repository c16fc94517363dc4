// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/copy_in_lock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/sys/process_info.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

using living = std::vector<intrusive_ptr<server_core>>;

// Adds those that follow the last of `known` that still lives, so that each is added once. Returns false if there are none.
inline bool add_slice(context_state& context, living& known) {
  constexpr std::size_t most = 256; // the lock is held for as long as these take
  if (known.capacity() - known.size() < most) {
    known.reserve((std::max)(2 * known.capacity(), known.size() + most));
  }
  const std::size_t before = known.size();
  auto keep = [&](process& one) noexcept { known.emplace_back(static_cast<server_core*>(&one)); };
  std::size_t at = before;
  while (!context.slice(at != 0 ? known[at - 1].get() : nullptr, most, keep)) {
    --at; // that one has ended meanwhile
  }
  return known.size() != before;
}

template <class Visit>
void each_living(Visit visit) {
  using context_ptr = intrusive_ptr<context_state>;
  std::vector<context_ptr> contexts = copy_in_lock<context_ptr>([](auto keep) {
    context_state::each([&](context_state& context) noexcept { keep(context_ptr(&context)); });
  });
  std::reverse(contexts.begin(), contexts.end()); // the newest context is listed first
  for (const context_ptr& context : contexts) {
    living known;
    std::size_t seen = 0;
    while (add_slice(*context, known)) {
      for (; seen != known.size(); ++seen) {
        visit(std::as_const(known[seen]));
      }
    }
  }
}

} // namespace detail

/// Calls a function with each living process of every context, those of one context in the order in which they were started.
///
/// Processes that start or end meanwhile may be visited or not; none is visited twice.
///
/// @param visit  `void(const otpp::process_view&)`. Called without a lock held.
///
/// @par Errors
/// std::bad_alloc, and what the function throws.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Complexity
/// Linear in the number of processes. A context's lock is held while 256 of them are listed, some ten microseconds: this
/// delays a start, an end, and a call that has to wait, but no message.
///
/// @par Example
/// @code
/// std::size_t queued = 0;
/// otpp::visit_processes([&](const otpp::process_view& one) { queued += one.queue_length(); });
/// @endcode
template <std::invocable<const process_view&> Visit>
void visit_processes(Visit visit) {
  detail::each_living([&](const detail::intrusive_ptr<detail::server_core>& server) {
    visit(detail::access::make<process_view>(server));
  });
}

/// Returns the living processes that are first by a value, the largest first: as `etop` and `observer_cli` show them.
///
/// @param n   How many at most. Those of equal value are in the order in which they were started.
/// @param by  Returns the value of an `otpp::process_view`, which is compared with `<`: a number, a string, a pair.
///
/// @par Complexity
/// O(m log n) for m processes, of which only n are copied.
///
/// All else as `visit_processes`.
///
/// @par Example
/// @code
/// for (const otpp::process_info& one :
///      otpp::top_processes(10, [](const otpp::process_view& each) { return each.queue_length(); })) {
///   std::cout << one.who << ' ' << *one.queue_length << '\n';
/// }
/// @endcode
template <std::invocable<const process_view&> Projection>
std::vector<process_info> top_processes(std::size_t n, Projection by) {
  using value = std::decay_t<std::invoke_result_t<Projection&, const process_view&>>;
  struct entry {
    value key;
    std::size_t number;
    detail::intrusive_ptr<detail::server_core> server;
  };
  auto is_before = [](const entry& a, const entry& b) {
    return b.key < a.key || (!(a.key < b.key) && a.number < b.number);
  };
  std::vector<entry> best; // a heap, with the last of them at its front
  std::size_t number = 0;
  detail::each_living([&](const detail::intrusive_ptr<detail::server_core>& server) {
    entry one{std::invoke(by, detail::access::make<process_view>(server)), number++, server};
    if (best.size() == n) {
      if (n == 0 || !is_before(one, best.front())) {
        return;
      }
      std::pop_heap(best.begin(), best.end(), is_before);
      best.pop_back();
    }
    best.push_back(std::move(one));
    std::push_heap(best.begin(), best.end(), is_before);
  });
  std::sort_heap(best.begin(), best.end(), is_before);
  std::vector<process_info> result;
  result.reserve(best.size());
  for (const entry& one : best) {
    result.push_back(detail::access::make<process_view>(one.server).info());
  }
  return result;
}

/// Returns all living processes of every context, those of one context in the order in which they were
/// started. OTP's `processes/0`, with the information of `process_info/1`.
///
/// A snapshot, whose parts may be stale: by the time that it is read a process may have ended, and another
/// may have started. `id`, `type` and `parent` never change; the names are those at that moment.
/// `current_message` is the type of the message whose handler runs or waits, or ran last if the server continued with the next
/// message. A relation is listed from both ends for a moment after one of them has ended.
///
/// @par Lifetime
/// The references in it keep no server alive. A context that is being destroyed is not included.
///
/// All else as `visit_processes`, which copies nothing.
///
/// @par Example
/// @code
/// for (const otpp::process_info& one : otpp::processes()) {
///   std::cout << one.who << ' ' << one.type << ' ' << one.current_message << '\n';
/// }
/// @endcode
inline std::vector<process_info> processes() {
  std::vector<process_info> result;
  visit_processes([&](const process_view& one) { result.push_back(one.info()); });
  return result;
}

} // namespace otpp

#pragma GCC visibility pop
