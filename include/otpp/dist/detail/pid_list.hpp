// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Members of a group, sorted by their ids; who has joined several times is in the list as often.
using pid_list = std::vector<pid>;
using pid_lists = std::map<std::string, pid_list, std::less<>>; // by group; none is empty

inline bool has_smaller_id(const pid& a, const pid& b) noexcept { return a.id() < b.id(); }

inline void sort_by_id(pid_list& all) { std::sort(all.begin(), all.end(), has_smaller_id); }

// Returns what is in the first and not, or not so often, in the second.
inline pid_list difference(const pid_list& a, const pid_list& b) {
  pid_list result;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result), has_smaller_id);
  return result;
}

// Returns an empty list if there is no such group.
inline const pid_list& find_list(const pid_lists& all, std::string_view group) {
  static const pid_list none;
  auto found = all.find(group);
  return found == all.end() ? none : found->second;
}

inline void set_list(pid_lists& all, const std::string& group, pid_list members) {
  if (members.empty()) {
    all.erase(group);
  } else {
    all.insert_or_assign(group, std::move(members));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
