// SPDX-License-Identifier: BSL-1.0

#include "tls.hpp"

#include <otpp/dist/tls.hpp>

#include <filesystem>
#include <string>

void use_tls(otpp::dist::node_options& how, const std::string& files) {
  otpp::dist::tls_options tls;
  tls.certificate_file(files + ".pem").key_file(files + ".key");
  tls.ca_file((std::filesystem::path(files).parent_path() / "ca.pem").string());
  how.transport(otpp::dist::tls(tls));
}
