// The vocabulary of rotating the secondary key by command: what is ordered, and what comes of it.

#pragma once

#include <cstdint>
#include <vector>

#include "services/flock/member.h"
#include "services/flock/secondary_ring.h"

namespace radix::flock {

// The three phases, and looking.
enum class KeyStep : std::uint8_t {
  kLook,     // only asks how it stands
  kInstall,  // a next key is made, and opens everywhere
  kUse,      // the next key becomes current, the current one previous
  kRemove,   // the key before the previous is forgotten
};

// An order to the sealed leader. Which rotation is meant follows from `from`; so an order that is
// given twice, or again after a crash, does nothing the second time and says that it is done.
struct KeyOrder {
  KeyStep step = KeyStep::kLook;
  // The tag of the key to rotate away from: the current one until `use`, the previous one from then
  // on. Not read by kLook.
  std::uint32_t from = 0;
  // Goes on although members have not acknowledged; never without a quorum that has.
  bool force = false;
  // The report lists who has not acknowledged from this slot on.
  std::uint32_t first_slot = 0;
};

enum class KeyResult : std::uint8_t {
  kDone = 1,         // now, or before
  kNoLeader,         // no sealed leader answered in time
  kNotSettled,       // the leader does not know yet what a quorum has; soon it will
  kNotAcknowledged,  // members in `missing` have not acknowledged the slots as they are
  kNoQuorum,         // not even a quorum has: no force helps
  kOtherRotation,    // `from` is neither the current key nor the previous one
  kTooEarly,         // a phase before it has not been done, or one of the last rotation is not
};

// How the rotation stands, by the word of the sealed leader.
struct KeyReport {
  static constexpr std::size_t kMissingMax = 200;

  KeyResult result = KeyResult::kNoLeader;
  std::uint64_t epoch = 0;  // the leader's; everything below is unset without one
  MemberId leader;
  RotationPhase phase = RotationPhase::kIdle;
  // Tags; 0: there is none.
  std::uint32_t current = 0;
  std::uint32_t previous = 0;
  std::uint32_t next = 0;
  std::uint32_t members = 0;       // live ones, the leader included
  std::uint32_t acknowledged = 0;  // of them: have the slots as they are in their key files
  // Slots of the others, in order, from `first_slot` on; at most kMissingMax.
  std::vector<std::uint32_t> missing;
};

// The answer to the order of that name.
struct KeyAnswer {
  std::uint64_t id = 0;
  KeyReport report;
};

}  // namespace radix::flock
