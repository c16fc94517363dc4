// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/tcp_transport.hpp>
#include <otpp/dist/detail/tls_failure.hpp>
#include <otpp/dist/detail/tls_settings.hpp>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// TLS over a socket. Not asio::ssl::stream, of which a write that is cancelled cannot be gone on with: here the bytes that are
// encrypted stay until the socket has taken them, so that who ends a connection can still write what is left.
class tls_transport final : public tcp_transport {
 public:
  tls_transport(asio::ip::tcp::socket socket, std::shared_ptr<tls_settings> how)
      : tcp_transport(std::move(socket)),
        how_(std::move(how)),
        ssl_(SSL_new(how_->context.native_handle()), &SSL_free) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    if (!ssl_ || !in_ || !out_) {
      BIO_free(in_);
      BIO_free(out_);
      throw std::bad_alloc();
    }
    SSL_set_bio(ssl_.get(), in_, out_); // which owns both
    SSL_set_app_data(ssl_.get(), this);
    if (!SSL_CTX_get_verify_callback(how_->context.native_handle())) { // of a user's own context
      SSL_set_verify(ssl_.get(), SSL_get_verify_mode(ssl_.get()), &tls_transport::note_fault);
    }
  }

  ~tls_transport() override { say_end(); }

  asio::awaitable<void> begin(std::string peer, std::error_code& error) override {
    co_await tcp_transport::begin({}, error);
    prepare(peer);
    bool has_come = !peer.empty(); // the peer has said something, or is to
    while (true) {
      progress next = shake();
      co_await write_output(error);
      if (next == progress::failed) {
        co_await drain();
        error = std::make_error_code(std::errc::protocol_error);
        co_return;
      }
      if (next == progress::done && !error) {
        failure_.clear();
        co_return;
      }
      std::size_t size = 0;
      if (!error) {
        size = co_await tcp_transport::read_some(asio::buffer(incoming_), error);
      }
      if (error) {
        failure_ = has_come ? "it closed the connection during the handshake of TLS: does it use TLS "
                              "(erl -proto_dist inet_tls), and what does its log say?"
                            : "";
        co_return;
      }
      has_come = true;
      take(size);
    }
  }

  bool is_no_scan() const noexcept override { return SSL_is_init_finished(ssl_.get()) == 1; }

  std::size_t size_of_length() const noexcept override { return 4; }

  std::string failure() const override { return failure_; }

  std::string fault_of(std::string_view peer) const override {
    if (how_->names != dist::tls_names::always) {
      return {};
    }
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get_peer_certificate(ssl_.get()), &X509_free);
    if (!certificate) {
      return "it has sent no certificate";
    }
    return is_for(*certificate, host_of(peer))
               ? std::string()
               : explain_certificate(X509_V_ERR_HOSTNAME_MISMATCH, certificate.get(), 0);
  }

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer to, std::error_code& error) override {
    while (true) {
      std::size_t size = decrypt(to, error);
      if (size != 0 || error) {
        co_return size;
      }
      size = co_await tcp_transport::read_some(asio::buffer(incoming_), error);
      if (error) {
        co_return 0;
      }
      take(size);
    }
  }

  asio::awaitable<std::size_t> write_some(asio::const_buffer from, std::error_code& error) override {
    error.clear();
    if (taken_ == 0) {
      taken_ = encrypt(from, error);
    }
    if (!error) {
      co_await write_output(error);
    }
    co_return error ? 0 : std::exchange(taken_, 0);
  }

  void close() noexcept override {
    say_end();
    tcp_transport::close();
  }

 private:
  // The alert close_notify, by which the peer knows that nothing was cut off. Not behind a part of something else.
  void say_end() noexcept {
    if (std::exchange(has_said_end_, true) || !failure_.empty() || SSL_is_init_finished(ssl_.get()) == 0 ||
        written_ != outgoing_.size()) {
      return;
    }
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    std::array<char, 512> bytes{};
    int size = BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    if (size > 0) {
      write_at_once(asio::buffer(bytes.data(), static_cast<std::size_t>(size)));
    }
  }

  enum class progress { more, done, failed };

  struct host_of {
    explicit host_of(std::string_view peer) : name(peer.substr(peer.find('@') + 1)) {
      std::error_code error;
      asio::ip::make_address(name, error);
      is_address = !error;
    }
    std::string name;
    bool is_address;
  };

  // An address may stand there as a name, too: OTP finds it as that only.
  static bool is_for(X509& certificate, const host_of& host) {
    return (host.is_address && X509_check_ip_asc(&certificate, host.name.c_str(), 0) == 1) ||
           X509_check_host(&certificate, host.name.data(), host.name.size(), name_flags, nullptr) == 1;
  }

  static constexpr unsigned name_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  static constexpr std::size_t most_at_once = std::size_t(64) * 1024; // else others would wait meanwhile

  void prepare(const std::string& peer) {
    peer_ = peer;
    failure_ = "the handshake of TLS took longer than node_options::setup: does it use TLS?";
    if (peer.empty()) {
      SSL_set_accept_state(ssl_.get());
      return;
    }
    SSL_set_connect_state(ssl_.get());
    host_of host(peer);
    if (!host.is_address) { // SSL_set_tlsext_host_name(), whose cast is of the old style
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.name.data());
    }
    if (how_->names != dist::tls_names::unchecked) {
      X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl_.get());
      X509_VERIFY_PARAM_set_hostflags(wanted, name_flags);
      host.is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.name.c_str())
                      : X509_VERIFY_PARAM_set1_host(wanted, host.name.data(), host.name.size());
    }
  }

  // One step, as far as it gets with what has come.
  progress shake() {
    ERR_clear_error();
    int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      return progress::done;
    }
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) {
      return progress::more;
    }
    failure_ = explain();
    return progress::failed;
  }

  std::string explain() const {
    if (fault_.empty()) { // of a user's own callback
      return explain_tls(
          ERR_peek_error(),
          explain_certificate(static_cast<int>(SSL_get_verify_result(ssl_.get())), nullptr, 0));
    }
    return explain_tls(ERR_peek_error(), fault_);
  }

  // Called by OpenSSL for each certificate: keeps what is wrong with the first one that is.
  static int note_fault(int is_good, X509_STORE_CTX* context) noexcept {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* self = static_cast<tls_transport*>(SSL_get_app_data(ssl));
    if (is_good == 0 && self->fault_.empty()) {
      try {
        X509* certificate = X509_STORE_CTX_get_current_cert(context);
        const int fault = X509_STORE_CTX_get_error(context);
        if (fault == X509_V_ERR_IP_ADDRESS_MISMATCH && is_for(*certificate, host_of(self->peer_))) {
          X509_STORE_CTX_set_error(context, X509_V_OK);
          return 1;
        }
        self->fault_ = explain_certificate(fault, certificate, X509_STORE_CTX_get_error_depth(context));
      } catch (...) {
        // Without memory nothing is explained.
      }
    }
    return is_good;
  }

  void take(std::size_t size) {
    if (BIO_write(in_, incoming_.data(), static_cast<int>(size)) != static_cast<int>(size)) {
      throw std::bad_alloc();
    }
  }

  // Returns zero if more is to be read first.
  std::size_t decrypt(asio::mutable_buffer to, std::error_code& error) {
    error.clear();
    ERR_clear_error();
    std::size_t size = 0;
    int result = SSL_read_ex(ssl_.get(), to.data(), to.size(), &size);
    if (result != 1) {
      refuse(result, error);
    }
    return size;
  }

  std::size_t encrypt(asio::const_buffer from, std::error_code& error) {
    if (from.size() == 0) {
      return 0;
    }
    ERR_clear_error();
    std::size_t size = 0;
    int result = SSL_write_ex(ssl_.get(), from.data(), (std::min)(from.size(), most_at_once), &size);
    if (result != 1) {
      refuse(result, error);
    }
    return size;
  }

  void refuse(int result, std::error_code& error) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ: break;
      case SSL_ERROR_ZERO_RETURN: error = asio::error::eof; break;
      default: failure_ = explain(); error = std::make_error_code(std::errc::protocol_error);
    }
  }

  // Writes what is encrypted. What the reader adds meanwhile, such as the answer to a change of keys, goes with the next.
  asio::awaitable<void> write_output(std::error_code& error) {
    if (written_ == outgoing_.size()) {
      written_ = 0;
      outgoing_.resize(BIO_ctrl_pending(out_));
      BIO_read(out_, outgoing_.data(), static_cast<int>(outgoing_.size()));
    }
    while (written_ != outgoing_.size()) {
      auto left = asio::buffer(outgoing_.data() + written_, outgoing_.size() - written_);
      std::size_t size = co_await tcp_transport::write_some(left, error);
      written_ += size;
      if (error) {
        co_return;
      }
    }
  }

  // Reads until the peer closes: who closes before that may reset the connection, and with it the alert that says why. The node's
  // deadline ends it.
  asio::awaitable<void> drain() {
    end_output();
    std::error_code end;
    while (!end) {
      co_await tcp_transport::read_some(asio::buffer(incoming_), end);
    }
  }

  const std::shared_ptr<tls_settings> how_;
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  BIO* in_ = nullptr;  // what has come, encrypted
  BIO* out_ = nullptr; // what is to be written, encrypted
  std::string peer_;   // with whom we connect
  std::string fault_;  // of the peer's certificate
  std::string failure_;
  std::array<char, std::size_t(16) * 1024> incoming_;
  std::string outgoing_;
  std::size_t written_ = 0; // of outgoing_
  bool has_said_end_ = false;
  std::size_t taken_ = 0; // of what write_some() was given: encrypted, and not all written
};

} // namespace otpp::detail

#pragma GCC visibility pop
