// Who refutes again and again, and for how long this node leaves it in peace.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/confab/time.h"

namespace radix::flock {

// A member that loses most of what it is sent refutes every suspicion, and each suspicion and
// refutation is news to the whole bloc. So after a refutation nobody accuses that member on own
// evidence for a while, twice as long after each further one. The price: who just refuted and then
// dies is removed so much later. Not thread-safe.
//
// Source: RFC 2439, "BGP Route Flap Damping" (the idea: exponential, per route, and it decays).
class Damping {
 public:
  static constexpr Duration kShortest = 1500ms;
  static constexpr Duration kLongest = 8s;
  // Who did not refute for so long starts again with the shortest.
  static constexpr Duration kForgotten = 30s;
  // No more members at a time: others are not left in peace.
  static constexpr std::size_t kMax = 256;

  // The member of `slot` refuted.
  void Refuted(std::uint32_t slot, Instant now) {
    std::erase_if(entries_, [&](const Entry& each) { return now - each.refuted_at > kForgotten; });
    const auto known = std::ranges::find(entries_, slot, &Entry::slot);
    if (known == entries_.end()) {
      if (entries_.size() < kMax) entries_.push_back({slot, now, kShortest});
      return;
    }
    // Others may be ahead, or behind: what they brought about is not held against it.
    if (now - known->refuted_at >= known->peace) {
      known->peace = std::min(2 * known->peace, kLongest);
    }
    known->refuted_at = now;
  }
  // Whether it is not to be accused now.
  bool IsInPeace(std::uint32_t slot, Instant now) const {
    const auto known = std::ranges::find(entries_, slot, &Entry::slot);
    return known != entries_.end() && now - known->refuted_at < known->peace;
  }

  std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint32_t slot = 0;
    Instant refuted_at;
    Duration peace{};
  };
  std::vector<Entry> entries_;
};

}  // namespace radix::flock
