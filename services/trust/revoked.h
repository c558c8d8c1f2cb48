// What is not believed any more.

#pragma once

#include <cstdint>
#include <set>

#include "services/confab/key_id.h"

namespace radix::trust {

// A value.
struct Revoked {
  // How a group keeps what was revoked: a decision of this kind for each. See trust_codec.h.
  static constexpr char kKind[] = "revoked";

  std::set<KeyId> keys;
  std::set<std::uint64_t> nodes;  // by the fingerprints of their keys

  bool operator==(const Revoked&) const = default;
};

}  // namespace radix::trust
