// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/tls_failure.hpp>
#include <otpp/dist/tls_options.hpp>

#include <asio/ssl/context.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What all connections of a node have in common.
struct tls_settings {
  asio::ssl::context context;
  dist::tls_names names;
};

// Reads a file by one of OpenSSL's functions. Throws std::runtime_error if that refuses.
template <class Read>
void read_tls_file(const char* setter, const char* content, const std::string& path, Read read) {
  if (path.empty()) {
    throw std::runtime_error(
        std::string("otpp: TLS without ") + content + ": say by tls_options::" + setter + " where it is");
  }
  ERR_clear_error();
  if (read(path.c_str()) != 1) {
    throw std::runtime_error(
        std::string("otpp: TLS takes no ") + content + " from " + path + ": " +
        openssl_text(ERR_peek_error()));
  }
}

// TLS 1.2 and later. A connection lives long, and checks the peer when it begins: nothing is kept of it for a next one.
inline asio::ssl::context make_tls_context(const dist::tls_options& how) {
  asio::ssl::context made(asio::ssl::context::tls);
  SSL_CTX* raw = made.native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_default_passwd_cb(
      raw, [](char*, int, int, void*) { return 0; }); // else it asks at the terminal
  read_tls_file(
      "certificate_file", "certificate of this node", how.certificate_file(),
      [&](const char* path) { return SSL_CTX_use_certificate_chain_file(raw, path); });
  read_tls_file("key_file", "key of this node's certificate", how.key_file(), [&](const char* path) {
    return SSL_CTX_use_PrivateKey_file(raw, path, SSL_FILETYPE_PEM);
  });
  read_tls_file("ca_file", "authorities of peers' certificates", how.ca_file(), [&](const char* path) {
    return SSL_CTX_load_verify_locations(raw, path, nullptr);
  });
  return made;
}

} // namespace otpp::detail

#pragma GCC visibility pop
