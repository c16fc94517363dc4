// SPDX-License-Identifier: BSL-1.0

// Authorities of this test, and certificates that they sign, as files.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace certificates {

// A folder that ends with this.
class folder {
 public:
  folder() {
    std::string text = (std::filesystem::temp_directory_path() / "otpp_tls_").string() + std::string(6, 'X');
    if (::mkdtemp(text.data()) == nullptr) {
      throw std::runtime_error("no folder for certificates");
    }
    path_ = text;
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using certificate_ptr = std::unique_ptr<X509, decltype(&X509_free)>;

inline void check(bool is_good) {
  if (!is_good) {
    throw std::runtime_error("OpenSSL made no certificate");
  }
}

inline key_ptr make_key() {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  check(
      context && EVP_PKEY_keygen_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(), NID_X9_62_prime256v1) == 1 &&
      EVP_PKEY_keygen(context.get(), &made) == 1);
  return {made, &EVP_PKEY_free};
}

// When a certificate is valid, in seconds from now.
struct validity {
  long begin = -3600;
  long end = 3600;
};

class authority {
 public:
  // Its certificate is name.pem of the folder.
  authority(const folder& in, std::string name)
      : in_(in), name_(std::move(name)), key_(make_key()), own_(sign(name_, *key_, "", {}, true)) {
    write(name_ + ".pem", *own_);
  }

  std::string ca_file() const { return in_.file(name_ + ".pem"); }

  // Makes the files name.pem and name.key. Alternative names as OpenSSL writes them: "DNS:host,IP:127.0.0.1".
  void issue(const std::string& name, const std::string& alternatives, validity when = {}) {
    key_ptr key = make_key();
    write(name + ".pem", *sign(name, *key, alternatives, when, false));
    std::FILE* file = std::fopen(in_.file(name + ".key").c_str(), "w");
    bool is_good =
        file != nullptr && PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
    check(file != nullptr && std::fclose(file) == 0 && is_good);
  }

 private:
  certificate_ptr sign(
      const std::string& name, EVP_PKEY& key, const std::string& alternatives, validity when, bool is_own) {
    certificate_ptr made(X509_new(), &X509_free);
    check(made != nullptr);
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++number_);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), when.begin);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), when.end);
    X509_set_pubkey(made.get(), &key);
    X509_NAME* subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* issuer = is_own ? made.get() : own_.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
    add(*made, *issuer, NID_basic_constraints, is_own ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternatives.empty()) {
      add(*made, *issuer, NID_subject_alt_name, alternatives);
    }
    check(X509_sign(made.get(), key_.get(), EVP_sha256()) != 0);
    return made;
  }

  static void add(X509& to, X509& issuer, int kind, const std::string& text) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, &issuer, &to, nullptr, nullptr, 0);
    X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, kind, text.c_str());
    check(made != nullptr && X509_add_ext(&to, made, -1) == 1);
    X509_EXTENSION_free(made);
  }

  void write(const std::string& name, X509& what) const {
    std::FILE* file = std::fopen(in_.file(name).c_str(), "w");
    bool is_good = file != nullptr && PEM_write_X509(file, &what) == 1;
    check(file != nullptr && std::fclose(file) == 0 && is_good);
  }

  const folder& in_;
  std::string name_;
  long number_ = 0;
  key_ptr key_;
  certificate_ptr own_;
};

} // namespace certificates
