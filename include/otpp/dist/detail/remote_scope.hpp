// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/pid_list.hpp>
#include <otpp/error.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/registry/pg.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A scope of another node, and those of its members that are in the scope here; they leave it when this is destroyed.
class remote_scope {
 public:
  remote_scope(pid process, std::shared_ptr<pg> here, std::string node, monitor_ref monitor)
      : process_(std::move(process)),
        here_(std::move(here)),
        node_(std::move(node)),
        monitor_(std::move(monitor)) {}
  remote_scope(const remote_scope&) = delete;
  remote_scope& operator=(const remote_scope&) = delete;
  ~remote_scope() {
    for (const auto& each : members_) {
      leave_all(each.first, each.second);
    }
  }

  const pid& process() const noexcept { return process_; }
  const std::string& node() const noexcept { return node_; }
  const monitor_ref& monitor() const noexcept { return monitor_; }

  void join(const std::string& group, const pid_list& who) {
    pid_list all = find_list(members_, group);
    forget_ended(all);
    for (const pid& each : who) {
      if (add(group, each)) {
        all.push_back(each);
      }
    }
    keep(group, std::move(all));
  }

  // Who is not in the list has ended, and so left before.
  void leave(const std::string& group, const pid_list& who) {
    pid_list all = find_list(members_, group);
    for (const pid& each : who) {
      auto found = std::find(all.begin(), all.end(), each);
      if (found != all.end()) {
        here_->leave(group, each);
        all.erase(found);
      }
    }
    forget_ended(all);
    keep(group, std::move(all));
  }

  // These, sorted, are all that there are now.
  void replace(const pid_lists& now) {
    std::vector<std::string> groups;
    for (const auto& each : members_) {
      groups.push_back(each.first);
    }
    for (const auto& each : now) {
      groups.push_back(each.first);
    }
    for (const std::string& each : groups) { // the second time there is nothing to do
      const pid_list before = find_list(members_, each);
      leave(each, difference(before, find_list(now, each)));
      join(each, difference(find_list(now, each), before));
    }
  }

 private:
  // Who has ended meanwhile does not join.
  bool add(const std::string& group, const pid& who) {
    try {
      here_->join(group, who);
      return true;
    } catch (const error&) {
      return false;
    }
  }

  void leave_all(const std::string& group, const pid_list& who) const {
    for (const pid& each : who) {
      here_->leave(group, each);
    }
  }

  static void forget_ended(pid_list& all) {
    std::erase_if(all, [](const pid& each) { return each.has_ended(); });
  }

  void keep(const std::string& group, pid_list all) {
    sort_by_id(all);
    set_list(members_, group, std::move(all));
  }

  pid process_; // of the other scope
  std::shared_ptr<pg> here_;
  std::string node_;
  monitor_ref monitor_;
  pid_lists members_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
