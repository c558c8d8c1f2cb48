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

#include "absl/status/statusor.h"
#include "services/confab/key_id.h"

namespace radix::confab {

using NodeKeySeed = std::array<std::uint8_t, 32>;
using NodePublicKey = std::array<std::uint8_t, 32>;

// Reads `state`/node.key, the seed: 64 hex digits. Makes it, mode 0600, when there is none; of
// several processes that do so at once all get the same.
//
// Errors: PermissionDenied, when group or others may do anything with it; InvalidArgument, when it
// is malformed; FailedPrecondition, when it cannot be read or made. Messages never hold key bytes.
absl::StatusOr<NodeKeySeed> LoadOrMakeNodeKey(const std::filesystem::path& state);

// What a node says of one of its TLS keys: that it belongs to this node's service of that name. It
// travels in the certificate, so that a basic service is known before anything was registered.
struct Attestation {
  NodePublicKey node{};
  std::string service;  // for example "reeve"; at most kServiceMax bytes

  static constexpr std::size_t kServiceMax = 63;
  bool operator==(const Attestation&) const = default;
};

// Signs that for `key`, in the flock `flock_id`. Requires: `service` fits.
std::string Attest(const NodeKeySeed& seed, std::string_view flock_id, std::string_view service,
                   const KeyId& key);

// What was signed; nullopt unless it is authentic, and for this flock and key. Whose node it is,
// and whether that may do what it wants, is for others to decide. Takes about 60 us.
std::optional<Attestation> ReadAttestation(std::string_view signed_bytes, std::string_view flock_id,
                                           const KeyId& key);

}  // namespace radix::confab
