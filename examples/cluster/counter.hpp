// SPDX-License-Identifier: BSL-1.0

// The server that counter.cpp publishes, and that client.cpp calls on another node.

#pragma once

// [server]
#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

struct counter {
  struct get { using reply_type = int; static constexpr auto term = otpp::as::tagged("get"); };        // get
  struct add { int n; using reply_type = int; static constexpr auto term = otpp::as::tagged("add"); }; // {add,N}
  struct reset { static constexpr auto term = otpp::as::tagged("reset"); };                            // a cast
  using messages = otpp::message_list<get, add, reset>;

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
  void handle_cast(reset, int& count) { count = 0; }
};
// [server]
