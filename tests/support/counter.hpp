// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/message.hpp>

// A server that counts: the plainest that has all three kinds of messages.
struct counter {
  struct get {
    using reply_type = int;
  };
  struct add {
    int n;
    using reply_type = int;
  };
  struct set {
    int n;
  };
  struct reset {};

  using messages = otpp::message_list<get, add, set, reset>;

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
  void handle_cast(set request, int& count) { count = request.n; }
  void handle_info(reset, int& count) { count = 0; }
};
