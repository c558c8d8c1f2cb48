// What a flock reports: every change of a member or a leader, with who said so and why.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/member.h"

namespace radix::flock {

enum class EventKind : std::uint8_t {
  kJoined,             // `subject` became known, or came back
  kSuspected,          // `subject` is suspected by `reporter`
  kRefuted,            // `subject` proved to be alive
  kDied,               // `subject` was removed
  kLeft,               // `subject` said good-bye
  kProvisionalLeader,  // `subject` is now the provisional leader
  kSealedLeader,       // `subject` said itself that it is sealed under `epoch`
  kSealedLeaderLost,   // the lease that `subject` told us of has run out, or it stepped down
  kSealed,             // this node became the sealed leader, or moved to `epoch`
  kUnsealed,           // this node is no longer the sealed leader under `epoch`
  kKeyChanged,         // the transient key in use changed; `value` is its short id
  kIntroduced,         // `introduction` is what `subject` says about itself
  kAdmitted,           // this node, which was turned away, has a vote now
  kAlarm,              // something that only a person can settle; `evidence` says what
};

// Why it happened.
enum class Evidence : std::uint8_t {
  kNone,
  kContact,           // heard directly, fresh
  kHearsay,           // told by `reporter`
  kProbesUnanswered,  // `value` direct and indirect probes brought no answer
  kSuspicionExpired,  // suspected, not refuted in time; `value` members accused it
  kReplacedByBoot,    // another boot of the same slot took its place
  kOwnWord,           // it said so itself
  kRank,              // it ranks first among the live
  kQuorum,            // a quorum granted leases; `value` of them
  kQuorumLost,        // fewer than a quorum of leases are left
  kOutranked,         // a sealed leader of a higher epoch, or a higher rank, was heard: `reporter`
  kLeaseExpired,      // no renewal in time
  kGaveBack,          // stepped down in good order
  kCharterDiffers,    // `subject` has another charter: it grants nothing, nor do we
  kTooManyMembers,    // `value` nodes, more than `at_most`: `subject`, the newest, has no vote
  kTurnedAway,        // `value` others, `at_most` of them, have a vote, and this node has none
  kTwoSealed,         // two sealed leaders renew beside each other: the charter must be false
  kSameSlotTwice,     // another living machine uses our address
};

// One thing that happened.
struct Event {
  EventKind kind = EventKind::kJoined;
  Evidence evidence = Evidence::kNone;
  Instant at;
  MemberId subject;
  MemberId reporter;                       // who said so; this node itself when it saw it
  std::uint64_t epoch = 0;                 // 0: none
  std::uint64_t value = 0;                 // see Evidence
  std::vector<std::uint8_t> introduction;  // only with kIntroduced
};

// One word for machines, for example `suspected`.
std::string_view KindName(EventKind kind);

// A short sentence for people: the evidence, without names.
std::string Explain(const Event& event);

}  // namespace radix::flock
