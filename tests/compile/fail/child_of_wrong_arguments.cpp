// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/supervisor/supervisor.hpp>

#include <memory>
#include <string>

struct counter {
  int init(int start) { return start; }
};

otpp::child_spec specify() {
#ifdef OTPP_MISTAKE
  return otpp::child<counter>("counter", std::string("0"));
#else
  return otpp::child<counter>("counter", 0);
#endif
}
