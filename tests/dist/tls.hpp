// SPDX-License-Identifier: BSL-1.0

// Lets the node of server.cpp take TLS. In tls.cpp, or, for programs without OpenSSL, in no_tls.cpp.

#pragma once

#include <otpp/dist/node_options.hpp>

#include <string>

// @param files  Where <files>.pem and <files>.key are, and ca.pem beside them.
void use_tls(otpp::dist::node_options& how, const std::string& files);
