// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/runtime/home.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/newest_process.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/bind_executor.hpp>

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A completion handler of a start of which nobody needs to be told.
struct ignore_start {
  template <class Ref>
  void operator()(const std::exception_ptr&, const Ref&) const noexcept {}
};

// Starts a process on the executor of a node, with which it ends, and returns it at once: nobody if the node is closed. A limit of zero
// is none.
template <class Callbacks, class... Args>
pid start_with_node(const node_core& core, std::string name, std::size_t mailbox_limit, Args&&... args) {
  asio::any_io_executor executor = executor_of(*core.home);
  if (!executor || core.process.has_ended()) {
    return {};
  }
  options how =
      options().name(std::move(name)).in(newest_process::global()).on(executor).mailbox_limit(mailbox_limit);
  start<Callbacks>(
      access::link_to(std::move(how), core.process), std::forward<Args>(args)...,
      asio::bind_executor(executor, ignore_start()));
  return newest_process::global().take();
}

} // namespace otpp::detail

#pragma GCC visibility pop
