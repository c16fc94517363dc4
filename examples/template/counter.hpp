#pragma once

#include <otpp/otpp.hpp>

// A server: its messages, its state, and what it does at each message.
struct counter {
  struct get {
    using reply_type = int;
  };
  struct add {
    int n;
    using reply_type = int;
  };

  int init(int start) { return start; } // what it returns is the state

  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};
