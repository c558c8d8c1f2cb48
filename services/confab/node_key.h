// The node's own key: Ed25519, made at its first boot, and never sent. What it signs says that a
// key belongs to this node.

#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "services/confab/descriptor.h"
#include "services/confab/key_id.h"

namespace radix::confab {

using NodeKeySeed = std::array<std::uint8_t, 32>;
using NodePublicKey = std::array<std::uint8_t, 32>;

// Reads `state`/node.key, the seed: 64 hex digits. Where there is none, under a supervisor that
// holds one in memory, it is that; otherwise the file is made, mode 0600: of several processes that
// do so at once all get the same.
//
// Errors: PermissionDenied, when group or others may do anything with it; InvalidArgument, when it
// is malformed; FailedPrecondition, when it cannot be read or made. Messages never hold key bytes.
absl::StatusOr<NodeKeySeed> LoadOrMakeNodeKey(const std::filesystem::path& state);

// A node's key for all of its services, also while a full disk does not take it: then it is in the
// memory of this process, the supervisor, whose children find it there. Movable; not thread-safe.
class HeldNodeKey {
 public:
  // Errors: as LoadOrMakeNodeKey, but for FailedPrecondition: then the key is held in memory.
  // Internal, if that cannot be.
  static absl::StatusOr<HeldNodeKey> Take(const std::filesystem::path& state);

  // While it is in memory only: writes it to the file, if that can be done now. To be called about
  // every second. Should another process have made one meanwhile, that is the node's from the next
  // boot on.
  void Upkeep();

  // What children that may have the key get in their environment; empty where the file has it.
  std::string Variable() const;

 private:
  HeldNodeKey(std::filesystem::path path, Descriptor memory)
      : path_(std::move(path)), memory_(std::move(memory)) {}

  std::filesystem::path path_;
  Descriptor memory_;  // with the file's content; none once it was on disk at the start
  bool kept_ = false;
};

NodePublicKey PublicKeyOf(const NodeKeySeed& seed);

// What a node says of one of its TLS keys: that it belongs to this node's service of that name. It
// travels in the certificate, so that a basic service is known before anything was registered.
struct Attestation {
  NodePublicKey node{};
  std::string service;  // for example "reeve"; at most kServiceMax bytes

  static constexpr std::size_t kServiceMax = 63;
  bool operator==(const Attestation&) const = default;
};

// From which the key of its TlsIssuer (certificate.h) is made.
std::array<std::uint8_t, 48> IssuerSecretOf(const NodeKeySeed& seed);

// Signs that for `key`, in the flock `flock_id`. Requires: `service` fits.
std::string Attest(const NodeKeySeed& seed, std::string_view flock_id, std::string_view service,
                   const KeyId& key);

// What was signed; nullopt unless it is authentic, and for this flock and key. Whose node it is,
// and whether that may do what it wants, is for others to decide. Takes about 60 us.
std::optional<Attestation> ReadAttestation(std::string_view signed_bytes, std::string_view flock_id,
                                           const KeyId& key);

}  // namespace radix::confab
