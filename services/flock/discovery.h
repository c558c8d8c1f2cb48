// Finding others without a seed list: guessing addresses of the charter's ranges.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "services/confab/random.h"
#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/member_table.h"

namespace radix::flock {

// Says when to try which slot. Remembered peers come first; then half of the guesses lie near the
// own slot (machines stand in racks), half anywhere; once members have died, a third goes to them:
// a tombstone never stops the dialling, which is how islands meet again. Paced, because a probe to
// an empty address costs an ARP query; it never ends. Not thread-safe.
class Discovery {
 public:
  Discovery(const Tunables& tunables, std::uint32_t self, std::vector<std::uint32_t> remembered,
            Instant now, Random& random);

  // The slot to say HELLO to, if one is due.
  std::optional<std::uint32_t> Poll(const MemberTable& members, Instant now, Random& random);

  Instant next() const { return next_; }

 private:
  std::uint32_t Guess(const MemberTable& members, Random& random);
  std::uint32_t Near(std::uint32_t slots, Random& random) const;

  Tunables tunables_;
  std::uint32_t self_;
  std::vector<std::uint32_t> remembered_;  // taken from the back
  Instant next_;
  std::uint32_t probes_ = 0;
};

}  // namespace radix::flock
