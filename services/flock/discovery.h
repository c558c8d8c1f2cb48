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

// Says when to try which slot. Remembered peers come first, then the two neighbours; then half of
// the guesses lie near the own slot (machines stand in racks), half anywhere; once members have
// died, a third goes to them: a tombstone never stops the dialling, which is how islands meet
// again. The first follow each other quickly. Then paced, because a probe to an empty address costs
// an ARP query; it never ends. Not thread-safe.
class Discovery {
 public:
  // `expected`: how many there may be, by the charter. Requires: self < slots.
  Discovery(const Tunables& tunables, std::uint32_t slots, std::uint32_t expected,
            std::uint32_t self, std::vector<std::uint32_t> remembered, Instant now);

  // The slot to say HELLO to, if one is due.
  std::optional<std::uint32_t> Poll(const MemberTable& members, Instant now, Random& random);

  // Somebody answered at `slot` just now: a little later it is tried, if it is not
  // known by then, and a few times more. However often it answers meanwhile: who holds the group's
  // key and never lets anybody in fills nothing, and keeps nobody from guessing.
  void HandleAnswer(std::uint32_t slot, Instant now);

  Instant next() const { return next_; }

 private:
  struct Answered {
    std::uint32_t slot = 0;
    Instant due;
    int tries = 0;
  };

  std::optional<std::uint32_t> TakeAnswered(const MemberTable& members, Instant now);
  std::uint32_t Guess(const MemberTable& members, Random& random);
  std::uint32_t Near(std::uint32_t slots, Random& random) const;

  Tunables tunables_;
  std::uint32_t expected_;
  std::uint32_t self_;
  std::vector<std::uint32_t> first_;  // to be tried before guessing; taken from the back
  std::vector<Answered> answered_;    // but not let in yet
  Instant next_;
  Duration wait_;
  std::uint32_t probes_ = 0;
};

}  // namespace radix::flock
