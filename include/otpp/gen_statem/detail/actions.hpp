// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_statem/detail/event_queue.hpp>
#include <otpp/gen_statem/detail/timeouts.hpp>
#include <otpp/message.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What only some transitions have, in memory of its own, so that all others are small.
struct transition_actions {
  std::vector<timeout_request> timeouts; // in the order in which they were asked for
  event_list events;
  exit_reason reason;       // to stop for
  std::exception_ptr error; // that answers a call
};

enum class step_kind : std::uint8_t { keep, next, repeat, stop, fail };

// What a handler has decided, without the answer to its call.
template <class State>
struct step {
  transition_actions& its_actions() {
    if (!actions) {
      actions = std::make_unique<transition_actions>();
    }
    return *actions;
  }

  step_kind kind = step_kind::keep;
  bool is_postponed = false;
  std::optional<State> next;
  std::unique_ptr<transition_actions> actions;
};

// An event that a machine sends to itself: what a timeout carries, or what a handler inserts.
template <class Callbacks, message M>
envelope_ptr make_own_event(M&& content) {
  envelope_ptr made(
      new plain_message<M>(&gen_server<Callbacks>::template open_event<M>, std::move(content), {}));
  made->is_of_library = true; // nobody else knows of it
  return made;
}

} // namespace otpp::detail

#pragma GCC visibility pop
