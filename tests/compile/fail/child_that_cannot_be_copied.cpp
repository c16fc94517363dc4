// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/supervisor/supervisor.hpp>

#include <memory>
#include <string>

struct counter {
  int init(std::unique_ptr<int> start) { return *start; }
};

otpp::child_spec specify() {
#ifdef OTPP_MISTAKE
  return otpp::child<counter>("counter", std::make_unique<int>(0));
#else
  return otpp::temporary_child<counter>("counter", std::make_unique<int>(0));
#endif
}
