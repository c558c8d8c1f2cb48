#include "services/confab/certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/confab/entropy.h"

namespace radix::confab {
namespace {

constexpr char kCurve[] = "prime256v1";
constexpr std::size_t kPemMax = 16 << 10;
constexpr char kName[] = "radix";  // as kTlsName
constexpr char kAlsoNamed[] = "DNS:radix";
constexpr char kScheme[] = "radix:";
// Before a part of the key's id: who pins several nodes finds the right one by its name.
constexpr char kIssuerNames[] = "radix node ";

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freed<X509_free>>;
using PointPtr = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;
using GroupPtr = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using NumberContextPtr = std::unique_ptr<BN_CTX, Freed<BN_CTX_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using ParametersPtr = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

absl::Status OpenSslFailure(const char* what) {
  return absl::InternalError(absl::StrCat("OpenSSL cannot ", what));
}

std::optional<KeyId> IdOf(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return std::nullopt;
  KeyId id;
  SHA256(der, static_cast<std::size_t>(size), id.bytes.data());
  OPENSSL_free(der);
  return id;
}

bool SetDates(X509* certificate) {
  return ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "19700101000000Z") == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "99991231235959Z") == 1;
}

bool SetSerial(X509* certificate) {
  std::array<std::uint8_t, 8> serial;
  FillRandom(serial);
  std::uint64_t number = 0;
  std::memcpy(&number, serial.data(), sizeof number);
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1 | 1) == 1;
}

bool AddName(X509_NAME* to, const char* name) {
  return X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(name), -1, -1, 0) == 1;
}

bool AddExtension(X509* certificate, int nid, const char* value) {
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Beside its name: what a node says of it, as a URI. (An extension of our own would be neater, but
// Go reads no certificate with an object identifier that is drawn by lot.)
bool AddNames(X509* certificate, const std::string& attestation) {
  std::string names = kAlsoNamed;
  if (!attestation.empty()) {
    absl::StrAppend(&names, ",URI:", kScheme, absl::WebSafeBase64Escape(attestation));
  }
  return AddExtension(certificate, NID_subject_alt_name, names.c_str());
}

std::string AttestationOf(const X509* certificate) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const std::string uri(
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier)),
        static_cast<std::size_t>(ASN1_STRING_length(name->d.uniformResourceIdentifier)));
    std::string attestation;
    if (uri.starts_with(kScheme) &&
        absl::WebSafeBase64Unescape(uri.substr(std::strlen(kScheme)), &attestation)) {
      return attestation;
    }
  }
  return {};
}

std::string Written(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

bool IsP256(EVP_PKEY* key) {
  std::array<char, 64> group{};
  return key != nullptr && EVP_PKEY_get_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(),
                                        nullptr) == 1 &&
         std::strcmp(group.data(), kCurve) == 0;
}

// The key pair whose secret is that number.
KeyPtr KeyOf(const BIGNUM* secret, const EC_GROUP* group) {
  const PointPtr point(EC_POINT_new(group));
  std::array<unsigned char, 65> encoded{};
  if (!point || EC_POINT_mul(group, point.get(), secret, nullptr, nullptr, nullptr) != 1 ||
      EC_POINT_point2oct(group, point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(),
                         encoded.size(), nullptr) != encoded.size()) {
    return nullptr;
  }
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, kCurve, 0) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, encoded.data(),
                                       encoded.size()) != 1) {
    return nullptr;
  }
  const ParametersPtr parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const ContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1) {
    return nullptr;
  }
  return KeyPtr(key);
}

// What is to be signed of a certificate of `name`, by `issuer`.
CertificatePtr Begin(EVP_PKEY* key, const char* name, const char* issuer) {
  CertificatePtr certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !SetSerial(certificate.get()) || !SetDates(certificate.get()) ||
      !AddName(X509_get_subject_name(certificate.get()), name) ||
      !AddName(X509_get_issuer_name(certificate.get()), issuer) ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return nullptr;
  }
  return certificate;
}

}  // namespace

absl::StatusOr<TlsIssuer> TlsIssuer::From(const Secret& secret) {
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const NumberPtr number(
      BN_bin2bn(secret.data(), static_cast<int>(secret.size()), BN_secure_new()));
  const NumberPtr last(group ? BN_dup(EC_GROUP_get0_order(group.get())) : nullptr);
  const NumberContextPtr context(BN_CTX_new());
  // In [1, order - 1], evenly but for 2^-128.
  if (!number || !last || !context || BN_sub_word(last.get(), 1) != 1 ||
      BN_mod(number.get(), number.get(), last.get(), context.get()) != 1 ||
      BN_add_word(number.get(), 1) != 1) {
    return OpenSslFailure("make an issuer's key");
  }
  TlsIssuer issuer;
  issuer.key_ = KeyOf(number.get(), group.get());
  const auto id = issuer.key_ ? IdOf(issuer.key_.get()) : std::nullopt;
  if (!id) return OpenSslFailure("make an issuer's key");
  issuer.name_ = absl::StrCat(kIssuerNames, id->ToString().substr(0, 16));
  const CertificatePtr certificate =
      Begin(issuer.key_.get(), issuer.name_.c_str(), issuer.name_.c_str());
  const BioPtr shown(BIO_new(BIO_s_mem()));
  if (!certificate || !shown ||
      !AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(certificate.get(), NID_key_usage, "critical,keyCertSign") ||
      X509_sign(certificate.get(), issuer.key_.get(), EVP_sha256()) == 0 ||
      PEM_write_bio_X509(shown.get(), certificate.get()) != 1) {
    return OpenSslFailure("make an issuer's certificate");
  }
  issuer.certificate_pem_ = Written(shown.get());
  return issuer;
}

TlsKey::~TlsKey() { OPENSSL_cleanse(private_pem_.data(), private_pem_.size()); }

absl::StatusOr<TlsKey> TlsKey::Make(const MakeAttestation& attest, const TlsIssuer* issuer) {
  const KeyPtr pair(EVP_EC_gen(kCurve));
  if (!pair) return OpenSslFailure("make a P-256 key");
  const CertificatePtr certificate =
      Begin(pair.get(), kName, issuer != nullptr ? issuer->name_.c_str() : kName);
  if (!certificate) return OpenSslFailure("fill in a certificate");
  TlsKey key;
  const auto id = IdOf(pair.get());
  if (!id) return OpenSslFailure("encode a public key");
  key.id_ = *id;
  const std::string attestation = attest ? attest(*id) : "";
  if (!AddNames(certificate.get(), attestation)) return OpenSslFailure("extend a certificate");
  EVP_PKEY* const signer = issuer != nullptr ? issuer->key_.get() : pair.get();
  if (X509_sign(certificate.get(), signer, EVP_sha256()) == 0) {
    return OpenSslFailure("sign a certificate");
  }
  const BioPtr secret(BIO_new(BIO_s_secmem()));
  const BioPtr shown(BIO_new(BIO_s_mem()));
  if (!secret || !shown ||
      PEM_write_bio_PrivateKey(secret.get(), pair.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1 ||
      PEM_write_bio_X509(shown.get(), certificate.get()) != 1) {
    return OpenSslFailure("write PEM");
  }
  key.private_pem_ = Written(secret.get());
  key.certificate_pem_ = Written(shown.get());
  return key;
}

absl::StatusOr<Shown> ReadCertificate(std::string_view pem) {
  if (pem.size() > kPemMax) return absl::InvalidArgumentError("the certificate is too long");
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CertificatePtr certificate(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)
                                      : nullptr);
  if (!certificate) return absl::InvalidArgumentError("there is no certificate");
  if (!IsP256(X509_get0_pubkey(certificate.get()))) {
    return absl::InvalidArgumentError("the certificate's key is not ECDSA P-256");
  }
  const auto id = IdOf(X509_get0_pubkey(certificate.get()));
  if (!id) return absl::InvalidArgumentError("the certificate's key cannot be read");
  return Shown{*id, AttestationOf(certificate.get())};
}

}  // namespace radix::confab
