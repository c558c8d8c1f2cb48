#include "services/confab/certificate.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/entropy.h"

namespace radix::confab {
namespace {

// Of a UUID drawn for this (ITU-T X.667), so that it is nobody else's.
constexpr char kAttestationOid[] = "2.25.211476834916217230465091187348021590283";
constexpr char kCurve[] = "prime256v1";
constexpr std::size_t kPemMax = 16 << 10;

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freed<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Freed<ASN1_OBJECT_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

absl::Status OpenSslFailure(const char* what) {
  return absl::InternalError(absl::StrCat("OpenSSL cannot ", what));
}

std::optional<KeyId> IdOf(const X509* certificate) {
  const X509_PUBKEY* const key = X509_get_X509_PUBKEY(certificate);
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(key, &der);
  if (size <= 0) return std::nullopt;
  KeyId id;
  SHA256(der, static_cast<std::size_t>(size), id.bytes.data());
  OPENSSL_free(der);
  return id;
}

bool SetSerialAndDates(X509* certificate) {
  std::array<std::uint8_t, 8> serial;
  FillRandom(serial);
  std::uint64_t number = 0;
  std::memcpy(&number, serial.data(), sizeof number);
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1 | 1) == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "19700101000000Z") == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "99991231235959Z") == 1;
}

bool SetName(X509* certificate) {
  X509_NAME* const name = X509_get_subject_name(certificate);
  constexpr unsigned char kName[] = "radix";  // as kTlsName
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, kName, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

bool AddAttestation(X509* certificate, const std::string& attestation) {
  const ObjectPtr oid(OBJ_txt2obj(kAttestationOid, 1));
  const OctetsPtr octets(ASN1_OCTET_STRING_new());
  if (!oid || !octets ||
      ASN1_OCTET_STRING_set(octets.get(),
                            reinterpret_cast<const unsigned char*>(attestation.data()),
                            static_cast<int>(attestation.size())) != 1) {
    return false;
  }
  const ExtensionPtr extension(
      X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), /*crit=*/0, octets.get()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string AttestationOf(const X509* certificate) {
  const ObjectPtr oid(OBJ_txt2obj(kAttestationOid, 1));
  const int at = X509_get_ext_by_OBJ(certificate, oid.get(), -1);
  if (at < 0) return {};
  const ASN1_OCTET_STRING* const octets = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(octets)),
          static_cast<std::size_t>(ASN1_STRING_length(octets))};
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

}  // namespace

TlsKey::~TlsKey() { OPENSSL_cleanse(private_pem_.data(), private_pem_.size()); }

absl::StatusOr<TlsKey> TlsKey::Make(const MakeAttestation& attest) {
  const KeyPtr pair(EVP_EC_gen(kCurve));
  const CertificatePtr certificate(X509_new());
  if (!pair || !certificate) return OpenSslFailure("make a P-256 key");
  if (X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !SetSerialAndDates(certificate.get()) || !SetName(certificate.get()) ||
      X509_set_pubkey(certificate.get(), pair.get()) != 1) {
    return OpenSslFailure("fill in a certificate");
  }
  TlsKey key;
  const auto id = IdOf(certificate.get());
  if (!id) return OpenSslFailure("encode a public key");
  key.id_ = *id;
  const std::string attestation = attest ? attest(*id) : "";
  if (!attestation.empty() && !AddAttestation(certificate.get(), attestation)) {
    return OpenSslFailure("extend a certificate");
  }
  if (X509_sign(certificate.get(), pair.get(), EVP_sha256()) == 0) {
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
  const auto id = IdOf(certificate.get());
  if (!id) return absl::InvalidArgumentError("the certificate's key cannot be read");
  return Shown{*id, AttestationOf(certificate.get())};
}

}  // namespace radix::confab
