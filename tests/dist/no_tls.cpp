// SPDX-License-Identifier: BSL-1.0

#include "tls.hpp"

#include <stdexcept>
#include <string>

void use_tls(otpp::dist::node_options&, const std::string&) {
  throw std::runtime_error("this program was built without OpenSSL");
}
