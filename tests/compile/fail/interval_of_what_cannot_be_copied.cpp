// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <chrono>
#include <memory>

struct ticker {
  struct tick {
#ifndef OTPP_MISTAKE
    std::shared_ptr<int> load;
#else
    std::unique_ptr<int> load;
#endif
  };
  int init() { return 0; }
  void handle_info(tick, int&) {}
};

auto tick_on(otpp::server_ref<ticker> server) {
  return otpp::send_interval(std::chrono::seconds(1), server, ticker::tick());
}
