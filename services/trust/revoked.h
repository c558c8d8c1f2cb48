// What is not believed any more.

#pragma once

#include <cstdint>
#include <set>

#include "services/confab/key_id.h"

namespace radix::trust {

// A value.
struct Revoked {
  std::set<KeyId> keys;
  std::set<std::uint64_t> nodes;  // by the fingerprints of their keys

  bool operator==(const Revoked&) const = default;
};

}  // namespace radix::trust
