// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/pid_term.hpp>
#include <otpp/term/form.hpp>
#include <otpp/term/value.hpp>

#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What scopes of OTP's pg say to each other, from OTP 25 on. `from` is the process of the scope that says it. The name of a group
// may be any term.

using pg_members = std::variant<pid, std::vector<pid>>;

// A plain message: which members has yours?
struct pg_discover {
  pid from;
  static constexpr auto term = as::tagged("discover");
};
// As the last. From OTP 28 on it may have a version of the protocol, which no answer depends on.
struct pg_discover_of_version {
  pid from;
  otpp::term version;
  static constexpr auto term = as::tagged("discover");
};
// A cast: these are all members of mine.
struct pg_sync {
  pid from;
  std::vector<std::pair<otpp::term, std::vector<pid>>> groups;
  static constexpr auto term = as::tagged("sync");
};
// A plain message. Who is in the list several times has joined as often.
struct pg_join {
  pid from;
  otpp::term group;
  pg_members members;
  static constexpr auto term = as::tagged("join");
};
// A plain message: each of the members has left each of the groups, once for each time that they are in the lists.
struct pg_leave {
  pid from;
  pg_members members;
  std::vector<otpp::term> groups;
  static constexpr auto term = as::tagged("leave");
};

inline std::vector<pid> list_of(pg_members members) {
  if (auto* all = std::get_if<std::vector<pid>>(&members)) {
    return std::move(*all);
  }
  return {std::get<pid>(std::move(members))};
}

} // namespace otpp::detail

#pragma GCC visibility pop
