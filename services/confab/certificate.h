// TLS keys, and the certificates that show them: ECDSA P-256, made where they are used and never
// written or sent. (P-256, since clients that are built on BoringSSL refuse Ed25519.)

#pragma once

#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/confab/key_id.h"
#include "services/confab/shown.h"

namespace radix::confab {

// What signs the certificates of one node, so that foreign clients, which know nothing of
// attestations, can pin the node by a certificate of its own. Its key follows from the node's: it
// is the same after every boot, and in no file. Movable.
class TlsIssuer {
 public:
  using Secret = std::array<std::uint8_t, 48>;

  // Internal, if OpenSSL cannot. See IssuerSecretOf.
  static absl::StatusOr<TlsIssuer> From(const Secret& secret);

  // Self-signed, and for nothing but to be pinned: PEM.
  const std::string& certificate_pem() const { return certificate_pem_; }

 private:
  friend class TlsKey;
  TlsIssuer() = default;

  std::shared_ptr<EVP_PKEY> key_;
  std::string name_;
  std::string certificate_pem_;
};

// A key pair and its certificate, in PEM, as gRPC takes them. Movable; the private key is wiped
// when it is destroyed.
class TlsKey {
 public:
  // What is to be put into the certificate for that key: see node_key.h; empty for nothing.
  using MakeAttestation = std::function<std::string(const KeyId&)>;

  // Makes one, which takes about 0.2 ms. Its dates cover all time: clocks are wrong at power-on.
  // `issuer` signs its certificate; nullptr: it signs it itself. Internal, if OpenSSL cannot.
  static absl::StatusOr<TlsKey> Make(const MakeAttestation& attest = nullptr,
                                     const TlsIssuer* issuer = nullptr);

  TlsKey(TlsKey&&) noexcept = default;
  TlsKey& operator=(TlsKey&&) noexcept = default;
  TlsKey(const TlsKey&) = delete;
  TlsKey& operator=(const TlsKey&) = delete;
  ~TlsKey();

  const KeyId& id() const { return id_; }
  const std::string& private_pem() const { return private_pem_; }
  const std::string& certificate_pem() const { return certificate_pem_; }

 private:
  TlsKey() = default;

  KeyId id_;
  std::string private_pem_;
  std::string certificate_pem_;
};

// Reads the first certificate of `pem`, which takes about 0.1 ms: keep what it returns.
//
// InvalidArgument: it is none, or its key is not P-256.
absl::StatusOr<Shown> ReadCertificate(std::string_view pem);

}  // namespace radix::confab
