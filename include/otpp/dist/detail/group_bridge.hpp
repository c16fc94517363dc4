// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/dist/detail/group_messages.hpp>
#include <otpp/dist/detail/group_term.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/pid_list.hpp>
#include <otpp/dist/detail/remote_scope.hpp>
#include <otpp/dist/groups_options.hpp>
#include <otpp/dist/node.hpp>
#include <otpp/dist/node_event.hpp>
#include <otpp/dist/reports.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/message.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>
#include <otpp/registry/pg.hpp>
#include <otpp/term/value.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The callbacks of a process that shares a scope of pg with those of other nodes: there it is the process of a scope, as OTP's.
//
// What it knows of a scope elsewhere, by the pid of its process; only the handlers below move it:
//
//   unknown -> known   `discover` or `sync` has come from it: it is monitored, told who is a member here, and from then on who joins
//                      and leaves
//   known -> unknown   its `down` has come: it has ended, or the connection is lost. Its members leave the scope here
//
// `join` and `leave` count if it is known; they are late otherwise. A new connection may bring its `discover` before the `down` of
// the last one, which then forgets what has just come: therefore it is asked again if there is a connection. Until it answers it is
// unknown, and not told what changes here: therefore it is told all when it is known again, though it has not asked.
//
// Peers are asked, by `discover` to the scope's name there, when the sharing begins, when they connect, and again and again while
// they are connected and no scope of theirs is known. Each answers with `sync`, and asks us if it does not know us. While a scope is
// known by the last connection its node is not asked by the next one, but when the `down` has come: it would take us for known, and
// a `leave` that it has no `join` for ends the scope of OTP.
//
// What others are told is what differs between the scope and the last that they were told of it (`told_`), for one group at a
// time. So it does not matter how many changes there were in between, nor whether one of them was missed.
class group_bridge {
 public:
  using messages = message_list<pg_discover, pg_discover_of_version, pg_sync, pg_join, pg_leave>;

  // The name under which others find it, for as long as this lives.
  struct publication {
    publication(dist::node where, std::string what) : node(std::move(where)), name(std::move(what)) {}
    publication(const publication&) = delete;
    publication& operator=(const publication&) = delete;
    ~publication() { node.unpublish(name); }

    dist::node node;
    const std::string name;
  };

  // It is published.
  struct begin {
    std::shared_ptr<publication> as;
  };
  struct tell_changes {};
  struct ask_again {};

  class shared_scope {
   public:
    shared_scope(
        dist::node node, std::shared_ptr<pg> scope, std::vector<std::string> peers, dist::groups_options how)
        : node_(std::move(node)), scope_(std::move(scope)), peers_(std::move(peers)), how_(std::move(how)) {
      std::erase(peers_, node_.name());
    }

    void start(std::shared_ptr<publication> as) {
      published_ = std::move(as);
      scope_->monitor_scope(self<group_bridge>());
      for (std::string& each : scope_->which_groups()) {
        changed_.insert(std::move(each));
      }
      tell();
      node_.events(self<group_bridge>());
      for (const std::string& each : peers_) {
        ask(each);
      }
      send_interval<ask_again>(how_.ask_every(), self<group_bridge>());
    }

    // ---- what happens here ----

    void changed(const group_change& one) {
      if (!is_here(one.who)) {
        return;
      }
      // After all changes that have come by now. By a timer, as what that sends is no loss if this ends before.
      if (changed_.empty()) {
        send_after<tell_changes>(duration::zero(), self<group_bridge>());
      }
      changed_.insert(one.group);
    }

    void tell() {
      for (const std::string& group : std::exchange(changed_, {})) {
        tell(group);
      }
    }

    void peer_changed(const dist::node_event& one) {
      if (one.what == dist::node_event::kind::up) {
        ask_if_unknown(one.name);
      }
    }

    void ask_unknown() {
      std::set<std::string> again = std::exchange(not_asked_, {});
      for (const std::string& peer : node_.peers()) {
        if (again.contains(peer)) {
          ask(peer);
        } else {
          ask_if_unknown(peer);
        }
      }
    }

    void lost(const down& told) {
      auto found = known_.find(told.who.id());
      if (found == known_.end() || found->second.monitor() != told.ref) {
        return;
      }
      std::string peer = found->second.node();
      behind_.erase(found->first);
      known_.erase(found);
      if (std::ranges::count(node_.peers(), peer) != 0) {
        ask(peer);
      }
    }

    // ---- what other scopes say ----

    void discovered_by(const pid& from) {
      if (is_here(from)) {
        return;
      }
      if (find(from)) {
        tell_all(from);
      } else {
        ask(from, know(from).node());
      }
    }

    // Who could not be told something, as too much waits for its node, is told all.
    void catch_up() {
      for (std::uint64_t each : std::exchange(behind_, {})) {
        auto found = known_.find(each);
        if (found != known_.end()) {
          tell_all(found->second.process());
        }
      }
    }

    void synchronize(const pg_sync& told) {
      if (is_here(told.from)) {
        return;
      }
      remote_scope& scope = know(told.from);
      pid_lists now;
      for (const auto& [name, members] : told.groups) {
        if (std::optional<std::string> group = group_of(name, scope)) {
          pid_list& list = now[*group];
          std::ranges::copy(members_of(members, scope), std::back_inserter(list));
        }
      }
      for (auto& each : now) {
        sort_by_id(each.second);
      }
      scope.replace(now);
    }

    void join(pg_join told) {
      if (remote_scope* scope = find(told.from)) {
        if (std::optional<std::string> group = group_of(told.group, *scope)) {
          scope->join(*group, members_of(list_of(std::move(told.members)), *scope));
        }
      }
    }

    void leave(pg_leave told) {
      if (remote_scope* scope = find(told.from)) {
        pid_list who = list_of(std::move(told.members));
        for (const term& name : told.groups) {
          if (std::optional<std::string> group = group_of(name, *scope)) {
            scope->leave(*group, who);
          }
        }
      }
    }

   private:
    // Also nobody, and who was one of an earlier node of this name.
    bool is_here(const pid& who) const { return !who || node_.node_of(who) == node_.name(); }

    void ask(const std::string& peer) { ask(node_.remote(how_.scope(), peer), peer); }

    template <class Scope>
    void ask(const Scope& scope, const std::string& peer) {
      if (!try_send(scope, pg_discover{self()})) {
        not_asked_.insert(peer);
      }
    }

    void ask_if_unknown(const std::string& peer) {
      bool is_known =
          std::ranges::any_of(known_, [&](const auto& each) { return each.second.node() == peer; });
      if (!is_known && std::ranges::count(peers_, peer) != 0) {
        ask(peer);
      }
    }

    remote_scope* find(const pid& from) {
      auto found = known_.find(from.id());
      return found == known_.end() ? nullptr : &found->second;
    }

    remote_scope& know(const pid& from) {
      if (remote_scope* known = find(from)) {
        return *known;
      }
      auto made = known_.emplace(
          std::piecewise_construct, std::forward_as_tuple(from.id()),
          std::forward_as_tuple(from, scope_, node_.node_of(from), monitor(from)));
      tell_all(from);
      return made.first->second;
    }

    void tell_all(const pid& whom) {
      pg_sync all{self(), {}};
      for (const auto& [group, members] : told_) {
        all.groups.emplace_back(term_of_group(group, how_.names()), members);
      }
      if (try_cast(whom, std::move(all))) {
        behind_.erase(whom.id());
      } else {
        behind_.insert(whom.id());
      }
    }

    // Tells what has changed in a group.
    void tell(const std::string& group) {
      pid_list now = scope_->members(group);
      std::erase_if(now, [&](const pid& each) { return !is_here(each); });
      sort_by_id(now);
      const pid_list& before = find_list(told_, group);
      pid_list joined = difference(now, before);
      pid_list left = difference(before, now);
      std::optional<term> name = name_of(group);
      if (!name) {
        return;
      }
      set_list(told_, group, std::move(now));
      for (const auto& each : known_) {
        const pid& whom = each.second.process();
        bool is_told = !behind_.contains(each.first) &&
                       (left.empty() || try_send(whom, pg_leave{self(), left, {*name}})) &&
                       (joined.empty() || try_send(whom, pg_join{self(), *name, joined}));
        if (!is_told) {
          behind_.insert(each.first);
        }
      }
    }

    // Only processes of the scope's own node can be its members.
    pid_list members_of(pid_list all, const remote_scope& scope) const {
      std::erase_if(all, [&](const pid& each) { return node_.node_of(each) != scope.node(); });
      return all;
    }

    std::optional<term> name_of(const std::string& group) {
      try {
        return term_of_group(group, how_.names());
      } catch (const std::invalid_argument& error) {
        core().report("all", "the group \"" + group + "\" is not shared: " + error.what(), true);
        return std::nullopt;
      }
    }

    // A group of another kind of term is not shared, but counted and reported.
    std::optional<std::string> group_of(const term& name, const remote_scope& scope) {
      std::optional<std::string> group = group_of_term(name, how_.names());
      if (!group) {
        core().counted.unknown.fetch_add(1, std::memory_order_relaxed);
        topic<dist::unknown_message>::tell_if_heard([&] {
          return dist::unknown_message{
              node_.name(), scope.node(), how_.scope(), "group", name.view().text(200)};
        });
      }
      return group;
    }

    node_core& core() { return access::core(node_); }

    dist::node node_;
    std::shared_ptr<pg> scope_;
    std::vector<std::string> peers_;
    dist::groups_options how_;
    std::shared_ptr<publication> published_; // null before it begins
    pid_lists told_;                         // members here, as the others know them
    std::set<std::string> changed_;          // groups that may differ from that
    std::map<std::uint64_t, remote_scope> known_;
    std::set<std::uint64_t> behind_;  // of those
    std::set<std::string> not_asked_; // nodes for which too much waited
  };

  using state_type = std::unique_ptr<shared_scope>;

  static state_type init(
      dist::node node, std::shared_ptr<pg> scope, std::vector<std::string> peers, dist::groups_options how) {
    trap_exit(); // so that it ends with its node also where that is closed, which is a normal end
    return std::make_unique<shared_scope>(
        std::move(node), std::move(scope), std::move(peers), std::move(how));
  }

  static void handle_cast(const begin& told, state_type& s) { s->start(told.as); }
  static void handle_info(tell_changes, state_type& s) { s->tell(); }
  static void handle_info(ask_again, state_type& s) {
    s->ask_unknown();
    s->catch_up();
  }
  static void handle_info(const group_change& one, state_type& s) { s->changed(one); }
  static void handle_info(const dist::node_event& one, state_type& s) { s->peer_changed(one); }
  static void handle_info(const down& lost, state_type& s) { s->lost(lost); }
  static void handle_info(const exit_signal&, state_type&) {} // of who is not its node

  // ---- what other scopes say ----

  static void handle_info(const pg_discover& asked, state_type& s) { s->discovered_by(asked.from); }
  static void handle_info(const pg_discover_of_version& asked, state_type& s) {
    s->discovered_by(asked.from);
  }
  static void handle_cast(const pg_sync& told, state_type& s) { s->synchronize(told); }
  static void handle_info(pg_join told, state_type& s) { s->join(std::move(told)); }
  static void handle_info(pg_leave told, state_type& s) { s->leave(std::move(told)); }
};

} // namespace otpp::detail

#pragma GCC visibility pop
