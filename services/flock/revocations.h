// Whose node keys are not believed any more.

#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace radix::flock {

// The fingerprints of the keys that the group has revoked, as far as this node knows. A member with
// such a key gets no lease, and its own counts for none; it ranks nowhere, gets no keys, and is let
// in by nobody. It is listed all the same, as long as it is heard: views are compared, and not all
// hear of a revocation at once. Not thread-safe.
class Revocations {
 public:
  Revocations() = default;
  explicit Revocations(std::vector<std::uint64_t> fingerprints)
      : fingerprints_(std::move(fingerprints)) {
    std::ranges::sort(fingerprints_);
    const auto repeated = std::ranges::unique(fingerprints_);
    fingerprints_.erase(repeated.begin(), repeated.end());
  }

  bool Contains(std::uint64_t fingerprint) const {
    return std::ranges::binary_search(fingerprints_, fingerprint);
  }
  bool empty() const { return fingerprints_.empty(); }
  bool operator==(const Revocations&) const = default;

 private:
  std::vector<std::uint64_t> fingerprints_;  // sorted, each once
};

}  // namespace radix::flock
