// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct logger {
  struct log {
    ~log() noexcept(
#ifdef OTPP_MISTAKE
        false
#else
        true
#endif
    ) {
    }
  };
  int init() { return 0; }
  void handle_cast(log, int&) {}
};

auto tell(otpp::server_ref<logger> server) { return otpp::cast<logger::log>(server); }
