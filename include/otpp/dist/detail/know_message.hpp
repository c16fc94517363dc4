// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/dist/detail/known_messages.hpp>
#include <otpp/dist/detail/read_message.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/message.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>

#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class M>
bool read_and_send(const pid& to, term_reader from) {
  M message{};
  return read_message(from, message) && try_send(to, std::move(message));
}

// Lets messages of this type be sent to processes elsewhere that are known by a pid, and be received by coroutines here.
template <class M>
void know_message() {
  using verb = server_core::verb;
  known_messages& all = known_messages::global();
  if constexpr (call_message<M>) {
    all.add(verb::call, typeid(M), opener_of<verb::call, M, remote_process>());
  }
  all.add(verb::cast, typeid(M), opener_of<verb::cast, M, remote_process>());
  all.add(verb::info, typeid(M), opener_of<verb::info, M, remote_process>());
}

template <class M>
void know_received_message() {
  static_assert(check_default<M>());
  known_messages::global().add(typeid(M), &read_and_send<M>);
}

} // namespace otpp::detail

#pragma GCC visibility pop
