// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/sys/inspect.hpp>

#include <memory>

struct owner {
  std::unique_ptr<int> init() { return std::make_unique<int>(1); }
};

auto change(otpp::server_ref<owner> server) {
#ifndef OTPP_MISTAKE
  return otpp::replace_state(
      server, [](const std::unique_ptr<int>& old) { return std::make_unique<int>(*old + 1); });
#else
  return otpp::replace_state(server, [](std::unique_ptr<int>& old) { ++*old; });
#endif
}
