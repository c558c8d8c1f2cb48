#include "services/trust/trust_codec.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace radix::trust {
namespace {

constexpr std::string_view kKey = "key/";
constexpr std::string_view kNode = "node/";

}  // namespace

v1::Revoked ToProto(const Revoked& revoked) {
  v1::Revoked message;
  for (const KeyId& key : revoked.keys) message.add_keys(key.ToString());
  for (const std::uint64_t node : revoked.nodes) message.add_node_fingerprints(node);
  return message;
}

absl::StatusOr<Revoked> RevokedFrom(const v1::Revoked& message) {
  Revoked revoked;
  for (const std::string& key : message.keys()) {
    const auto id = KeyId::Parse(key);
    if (!id) return absl::InvalidArgumentError("revoked.keys: is not 64 lower-case hex digits");
    revoked.keys.insert(*id);
  }
  revoked.nodes.insert(message.node_fingerprints().begin(), message.node_fingerprints().end());
  return revoked;
}

absl::Status AddDecision(const std::string& key, Revoked& revoked) {
  if (key.starts_with(kKey)) {
    const auto id = KeyId::Parse(std::string_view(key).substr(kKey.size()));
    if (id) {
      revoked.keys.insert(*id);
      return absl::OkStatus();
    }
  }
  std::uint64_t fingerprint = 0;
  if (key.starts_with(kNode) && key.size() == kNode.size() + 16 &&
      absl::SimpleHexAtoi(key.substr(kNode.size()), &fingerprint)) {
    revoked.nodes.insert(fingerprint);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("revoked: '", key, "' is no key and no node"));
}

}  // namespace radix::trust
