// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/group_bridge.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/start_with_node.hpp>
#include <otpp/dist/groups_options.hpp>
#include <otpp/dist/node.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/registry/pg.hpp>
#include <otpp/term/atom.hpp>
#include <otpp/timeout.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// Shares the groups of a scope with other nodes: processes there that have joined a group are members here, as pids, and those
/// here are members there. OTP's `pg` of several nodes, with Erlang, Elixir and otpp.
///
/// Each node tells who of its own has joined and left; what comes from one is not passed on to another. When a connection is lost,
/// or the scope elsewhere ends, its members leave. All of it takes a moment: no two nodes are sure to see the same at a time.
///
/// A hidden node, as this is, is not found by others, so that the peers are named. They are connected with at once, and asked for
/// their members; after that whenever they connect, and if the scope is not started there yet, again every
/// `groups_options::ask_every`. It does not connect again by itself. A node that is not named has to ask: an otpp program that names
/// this one does.
///
/// The name of a group is a text here, and a binary there, or an atom with `group_names::atoms`. A group there whose name is another
/// term is not shared; it counts as an `unknown_message`.
///
/// Returns the process that does it: `co_await process.stop()` ends the sharing, and the members of other nodes leave.
///
/// What is sent to a member elsewhere must have an Erlang form, and be of a type that this program has made known
/// (docs/between-machines.md, "Processes elsewhere"). As such a member is of no class of this program, `pg::members<Callbacks>` fails with
/// `errc::bad_message` where there is one.
///
/// @param by     The node. The sharing ends with it.
/// @param scope  The groups that are shared, all of the scope. May be destroyed before the node is closed.
/// @param peers  Whole names of nodes to share with. Without any, this waits for others that ask.
/// @param how    The scope's name at the peers, `pg` by default, and what names of groups are.
///
/// @par Errors
/// `errc::name_taken` if the node has published the scope's name; `errc::no_process` for a handle of no node, or one that is closed;
/// std::invalid_argument if a name can be none, or the period of `ask_every` is not longer than zero; std::bad_alloc.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// Members here can be reached by the peers from then on, and ended, as all whose pids were sent out. Destroying the pid has no
/// effect.
///
/// @par Example
/// @code
/// otpp::dist::share_groups(node, otpp::pg::global(), {"erl@host"});
/// otpp::pg::global().join("readers", reader);      // pg:get_members(<<"readers">>) at erl@host has it
/// otpp::pg::global().send("readers", news{"rain"}); // and those of erl@host get this
/// @endcode
inline pid share_groups(
    const node& by, const pg& scope, std::vector<std::string> peers = {}, groups_options how = {}) {
  using bridge = detail::group_bridge;
  if (!by || by.process().has_ended()) {
    std::rethrow_exception(
        detail::make_error(errc::no_process, "share_groups", {}, "a node that is not open"));
  }
  for (const std::string& each : peers) {
    detail::parse_node_name(each);
  }
  if (how.ask_every() <= duration::zero()) {
    throw std::invalid_argument("otpp: groups_options::ask_every takes a period that is longer than zero");
  }
  std::string name = atom(how.scope()).text();
  std::shared_ptr<pg> same(new pg(detail::access::make<pg>(detail::access::core(scope))));
  pid made = detail::start_with_node<bridge>(
      detail::access::core(by), "shared groups", 0, by, std::move(same), std::move(peers), std::move(how));
  auto typed = made.as<bridge>();
  if (!typed) {
    std::rethrow_exception(
        detail::make_error(errc::no_process, "share_groups", {}, "a node that is not open"));
  }
  try {
    node(by).publish(*typed, name);
  } catch (...) {
    kill(made);
    throw;
  }
  try_cast(*typed, bridge::begin{std::make_shared<bridge::publication>(by, std::move(name))});
  return made;
}

} // namespace otpp::dist

#pragma GCC visibility pop
