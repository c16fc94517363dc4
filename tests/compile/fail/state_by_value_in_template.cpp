// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {};
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  template <class Message>
  void handle_cast(const Message&, int count) {
    ++count;
  }
#else
  template <class Message>
  void handle_cast(const Message&, int& count) {
    ++count;
  }
#endif
};

auto tell(otpp::server_ref<counter> server) { return otpp::cast<counter::inc>(server); }
