// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/supervisor/child_spec.hpp>

#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

struct child_info;
struct child_counts;

namespace detail {

// The requests to supervisors. They have constructors, so that they are not aggregates (GCC PR 101976).
struct start_child_request {
  using reply_type = pid;
  explicit start_child_request(child_spec what) : spec(std::move(what)) {}
  child_spec spec;
};
struct restart_child_request {
  using reply_type = pid;
  explicit restart_child_request(std::string which) : id(std::move(which)) {}
  std::string id;
};
struct terminate_child_request {
  using reply_type = void;
  explicit terminate_child_request(std::string which) : id(std::move(which)) {}
  std::string id;
};
struct terminate_process_request {
  using reply_type = void;
  explicit terminate_process_request(pid which) : who(std::move(which)) {}
  pid who;
};
struct delete_child_request {
  using reply_type = void;
  explicit delete_child_request(std::string which) : id(std::move(which)) {}
  std::string id;
};
struct which_children_request {
  using reply_type = std::vector<child_info>;
};
struct count_children_request {
  using reply_type = child_counts;
};

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop
