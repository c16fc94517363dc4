// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// Whose name is looked for in the peer's certificate: the host of the node's name, which is to be a subjectAltName of the
/// certificate (`DNS:db1.example.org`, or `IP:10.0.0.5`).
enum class tls_names {
  unchecked,  ///< Nobody's: each certificate of a known authority may be that of any node.
  connecting, ///< That of a node which we connect with, as OTP does it.
  always      ///< That of a node which connects with us, too.
};

/// What TLS between nodes needs: `tls`. Setters chain, as those of `node_options`; files are in PEM format.
///
/// All three files are needed, as both sides show a certificate: `certfile`, `keyfile` and `cacertfile` of OTP's
/// `ssl_dist_optfile`. What goes beyond them, such as a key that has a password, takes an `asio::ssl::context` of one's own.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Example
/// @code
/// otpp::dist::tls_options().certificate_file("node.pem").key_file("node.key").ca_file("ca.pem")
/// @endcode
class tls_options {
 public:
  /// Sets the file with the certificate of this node.
  ///
  /// @param path  PEM; behind the certificate those of the authorities between, if there are any. Read by
  ///              `tls`.
  tls_options& certificate_file(std::string path) & {
    certificate_file_ = std::move(path);
    return *this;
  }
  tls_options certificate_file(std::string path) && { return std::move(certificate_file(std::move(path))); }

  /// Sets the file with the certificate's private key.
  ///
  /// @param path  PEM, without a password. Read by `tls`.
  tls_options& key_file(std::string path) & {
    key_file_ = std::move(path);
    return *this;
  }
  tls_options key_file(std::string path) && { return std::move(key_file(std::move(path))); }

  /// Sets the file with the certificates of the authorities that may have signed a peer's.
  ///
  /// @param path  PEM; read by `tls`. Each of the authorities is trusted with all nodes, so take one that
  ///              signs nothing else.
  tls_options& ca_file(std::string path) & {
    ca_file_ = std::move(path);
    return *this;
  }
  tls_options ca_file(std::string path) && { return std::move(ca_file(std::move(path))); }

  /// Sets whose names are looked for in their certificates.
  ///
  /// @param whose  `tls_names::connecting` by default.
  tls_options& check_names(tls_names whose) & noexcept {
    names_ = whose;
    return *this;
  }
  tls_options check_names(tls_names whose) && noexcept { return std::move(check_names(whose)); }

  /// Returns the file with the certificate of this node; empty if none was set.
  const std::string& certificate_file() const noexcept { return certificate_file_; }
  /// Returns the file with the private key; empty if none was set.
  const std::string& key_file() const noexcept { return key_file_; }
  /// Returns the file with the certificates of the authorities; empty if none was set.
  const std::string& ca_file() const noexcept { return ca_file_; }
  /// Returns whose names are looked for in their certificates.
  tls_names checked_names() const noexcept { return names_; }

 private:
  std::string certificate_file_;
  std::string key_file_;
  std::string ca_file_;
  tls_names names_ = tls_names::connecting;
};

} // namespace otpp::dist

#pragma GCC visibility pop
