// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/draining.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>

#include <type_traits>
#include <typeinfo>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How a server opens what the library tells it, which its list of messages need not have; `otherwise`, if it has no
// handler for it.
template <class Server>
envelope::opener opener_of_news(const std::type_info& type, envelope::opener otherwise) noexcept {
  envelope::opener found = otherwise;
  auto offer = [&]<class News>(std::type_identity<News>) {
    if constexpr (handles_info<typename Server::callbacks_type, News>) {
      found = type == typeid(News) ? &Server::template open_info<News> : found;
    }
  };
  offer(std::type_identity<down>());
  offer(std::type_identity<exit_signal>());
  offer(std::type_identity<draining>());
  return found;
}

} // namespace otpp::detail

#pragma GCC visibility pop
