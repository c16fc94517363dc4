// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/node_name.hpp>

#include <asio/ip/host_name.hpp>

#include <string>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The name with its host. Throws std::invalid_argument.
inline std::string whole_node_name(const std::string& name) {
  std::string whole = name;
  if (whole.find('@') == std::string::npos) {
    std::string host = asio::ip::host_name();
    whole += '@' + host.substr(0, host.find('.'));
  }
  parse_node_name(whole);
  return whole;
}

} // namespace otpp::detail

#pragma GCC visibility pop
