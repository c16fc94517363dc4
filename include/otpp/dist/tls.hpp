// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/peer_transport.hpp>
#include <otpp/dist/detail/tls_settings.hpp>
#include <otpp/dist/detail/tls_transport.hpp>
#include <otpp/dist/tls_options.hpp>
#include <otpp/dist/transport.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>

#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// Lets the connections of a node take TLS: `node_options::transport`. Peers do so too: nodes of otpp by
/// this, those of Erlang by `-proto_dist inet_tls`.
///
/// A header of its own, which `otpp/dist.hpp` does not include. It needs OpenSSL 1.1.1 or later; the target
/// of CMake is `otpp::dist_tls`.
///
/// @param context  Says which versions, certificates and authorities there are, and by its `verify_mode`
///                 whether peers are to have a certificate: for both directions, so take
///                 `asio::ssl::context::tls`, and `verify_peer | verify_fail_if_no_peer_cert`. Moved from.
/// @param names    Whose names are looked for in their certificates. Without `verify_peer` none are, whatever
///                 this says.
///
/// @par Errors
/// - std::runtime_error: a file is missing, or what is in it is not what it should be, or the key is not that of the
///   certificate.
///
/// @par Thread safety
/// Safe from any thread. The context is used by all connections of the node, and is not to be changed any more.
///
/// @par Example
/// @code
/// #include <otpp/dist.hpp>
/// #include <otpp/dist/tls.hpp> // link otpp::dist_tls
///
/// otpp::dist::tls_options files;
/// files.certificate_file("node.pem").key_file("node.key").ca_file("ca.pem");
/// otpp::dist::node_options how("cpp@db1.example.org");
/// how.transport(otpp::dist::tls(files));
/// auto node = co_await otpp::dist::open(how);
/// @endcode
inline transport tls(asio::ssl::context context, tls_names names = tls_names::connecting) {
  auto settings =
      std::make_shared<otpp::detail::tls_settings>(otpp::detail::tls_settings{std::move(context), names});
  return otpp::detail::access::make<transport>(otpp::detail::transport_maker(
      [settings = std::move(settings)](
          asio::ip::tcp::socket socket) -> std::unique_ptr<otpp::detail::peer_transport> {
        return std::make_unique<otpp::detail::tls_transport>(std::move(socket), settings);
      }));
}

/// Lets the connections of a node take TLS, with a context that is made for it. All else as above.
///
/// @param how  The files with the certificates and the key, which are read now.
inline transport tls(const tls_options& how) {
  return tls(otpp::detail::make_tls_context(how), how.checked_names());
}

} // namespace otpp::dist

#pragma GCC visibility pop
