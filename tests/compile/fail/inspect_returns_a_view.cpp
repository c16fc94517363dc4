// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/sys/inspect.hpp>

#include <string>
#include <string_view>

struct greeter {
  std::string init() { return "hello"; }
};

#ifndef OTPP_MISTAKE
using text = std::string;
#else
using text = std::string_view;
#endif

auto look(otpp::server_ref<greeter> server) {
  return otpp::inspect(server, [](const std::string& greeting) -> text { return greeting; });
}
