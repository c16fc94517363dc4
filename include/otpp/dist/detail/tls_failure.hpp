// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Text as OpenSSL prints it, such as a name in a certificate.
template <class Print>
std::string printed_by_openssl(Print print) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_mem()), &BIO_free);
  char* text = nullptr;
  long size = 0;
  if (to) {
    print(to.get());
    size = BIO_get_mem_data(to.get(), &text);
  }
  return size > 0 ? one_line({text, static_cast<std::size_t>(size)}, 200) : std::string();
}

inline std::string tls_name_text(const X509_NAME* name) {
  return printed_by_openssl([&](BIO* to) { X509_NAME_print_ex(to, name, 0, XN_FLAG_RFC2253); });
}

inline std::string tls_time_text(const ASN1_TIME* time) {
  return printed_by_openssl([&](BIO* to) { ASN1_TIME_print(to, time); });
}

// OpenSSL's own words.
inline std::string openssl_text(unsigned long code) {
  if (ERR_GET_LIB(code) == ERR_LIB_SYS) {
    return std::generic_category().message(ERR_GET_REASON(code));
  }
  const char* text = ERR_reason_error_string(code);
  return text ? text : "error " + std::to_string(code) + " of OpenSSL";
}

// What is wrong with the peer's certificate, or with one by which it is signed.
inline std::string explain_certificate(int fault, const X509* certificate, int depth) {
  std::string text = depth == 0 ? "its certificate" : "the certificate of an authority of its own";
  if (!certificate) {
    return text + " is refused: " + X509_verify_cert_error_string(fault);
  }
  text += " (" + tls_name_text(X509_get_subject_name(certificate)) + ") ";
  switch (fault) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return text + "has expired, at " + tls_time_text(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return text + "is not valid before " + tls_time_text(X509_get0_notBefore(certificate)) +
             ": do the clocks of both agree?";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return text + "is signed by nobody that this node knows, but by " +
             tls_name_text(X509_get_issuer_name(certificate)) +
             ": is the authority in tls_options::ca_file the one that has signed it?";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return text + "is not for the host in the name of the node: it needs that as its subjectAltName";
    case X509_V_ERR_CERT_REVOKED: return text + "was revoked";
    case X509_V_ERR_INVALID_PURPOSE:
      return text +
             "is not for this purpose: a node's extendedKeyUsage, if it has one, is serverAuth and "
             "clientAuth";
    default: return text + "is refused: " + X509_verify_cert_error_string(fault);
  }
}

// What the peer has said by the alert with which it has ended the connection.
inline std::string explain_alert(int alert) {
  const std::string ours = "it refused the certificate of this node: ";
  switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED: return ours + "it has expired";
    case SSL_AD_CERTIFICATE_REVOKED: return ours + "it was revoked";
    case SSL_AD_UNKNOWN_CA:
      return ours + "it does not know by whom it is signed; is that authority in the peer's cacertfile?";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return ours + "it is not for this purpose, or of a kind that the peer does not know";
    case SSL_AD_BAD_CERTIFICATE:
      return ours + "it is not for the host in the name of this node, or is damaged; see the peer's log";
    case SSL_AD_CERTIFICATE_UNKNOWN: return ours + "see the peer's log";
    case SSL_AD_CERTIFICATE_REQUIRED: return "it wants a certificate, and this node has sent none";
    case SSL_AD_PROTOCOL_VERSION:
      return "it takes other versions of TLS than this node: see `versions` in its ssl_dist_optfile";
    case SSL_AD_HANDSHAKE_FAILURE:
      return "it ended the handshake of TLS and did not say why (alert handshake_failure): it may miss the "
             "host in the name of this node, or the certificate itself, or know none of our ciphers; see its "
             "log";
    default:
      return std::string("it ended the connection by the alert of TLS \"") +
             SSL_alert_desc_string_long(alert) + "\": see its log";
  }
}

// What OpenSSL's first error means. What is wrong with a certificate is known beforehand, if that is it.
inline std::string explain_tls(unsigned long code, std::string_view certificate) {
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    const int reason = ERR_GET_REASON(code);
    if (reason > SSL_AD_REASON_OFFSET) {
      return explain_alert(reason - SSL_AD_REASON_OFFSET);
    }
    switch (reason) {
      case SSL_R_CERTIFICATE_VERIFY_FAILED: return std::string(certificate);
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "it has sent no certificate";
      case SSL_R_HTTP_REQUEST:
      case SSL_R_WRONG_VERSION_NUMBER:
        return "it does not speak TLS: a node of Erlang is started with -proto_dist inet_tls, and one of "
               "otpp "
               "with node_options::transport";
      case SSL_R_UNSUPPORTED_PROTOCOL:
      case SSL_R_VERSION_TOO_LOW:
        return "it has no version of TLS that this node takes (" + openssl_text(code) + ")";
      default: break;
    }
  }
  return "the handshake of TLS failed: " + openssl_text(code);
}

} // namespace otpp::detail

#pragma GCC visibility pop
