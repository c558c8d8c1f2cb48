// What a flock reports: every change of a member or a leader, with who said so and why.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/member.h"

namespace radix::flock {

enum class EventKind : std::uint8_t {
  kJoined,             // `subject` became known, or came back
  kSuspected,          // one more member accuses `subject`: the last of `witnesses.accusers`
  kRefuted,            // `subject`, which may be this node, proved to be alive
  kDied,               // `subject` was removed
  kLeft,               // `subject` said good-bye
  kProvisionalLeader,  // `subject` is now the provisional leader
  kSealedLeader,       // `subject` said itself that it is sealed under `epoch`
  kSealedLeaderLost,   // the lease that `subject` told us of has run out, or it stepped down
  kSealed,             // this node became the sealed leader, or moved to `epoch`
  kUnsealed,           // this node is no longer the sealed leader under `epoch`
  kKeyChanged,         // the transient key in use changed; `value` is its short id
  kSecondaryChanged,   // slots of the secondary key changed; `value` is the current one's tag
  kIntroduced,         // `introduction` is what `subject` says about itself
  kAdmitted,           // this node, which was turned away, has a vote now
  kRevoked,            // the key of `subject` was revoked
  kStalled,            // this node, or its machine, stood still for `value` ms
  kAlarm,              // something that only a person can settle; `evidence` says what
};

// Why it happened.
enum class Evidence : std::uint8_t {
  kNone,
  kContact,           // heard directly, fresh
  kHearsay,           // told by `reporter`
  kProbesUnanswered,  // this node's probes, direct and through `witnesses.relays`, had no answer
  kSuspicionExpired,  // accused by `witnesses.accusers`, and not refuted in time
  kStillHeard,        // accused, not refuted in time; but this node and it hear each other
  kReplacedByBoot,    // it took the place of `value`, another boot of the same slot
  kOwnWord,           // it said so itself
  kRank,              // it ranks first among the live
  kQuorum,            // a quorum granted leases; `value` of them
  kQuorumLost,        // fewer than a quorum of leases are left
  kLeaseExpired,      // no renewal in time
  kGaveBack,          // stepped down in good order
  kCharterDiffers,    // `subject` has another charter: it grants nothing, nor do we
  kTooManyMembers,    // `value` nodes, more than `at_most`: `subject`, the newest, has no vote
  kTurnedAway,        // `value` others, `at_most` of them, have a vote, and this node has none
  kTwoSealed,         // two sealed leaders renew beside each other: the charter must be false
  kSameName,          // `reporter`, which is alive, had the subject's name first
  kRevoked,           // its key is not believed any more; `reporter` said so
  kTimerLate,         // what was due was done `value` ms late
  kKeyInstalled,      // there is a next key; `reporter` said so
  kKeyUsed,           // another key became current
  kKeyRemoved,        // a key was forgotten
  kShutOut,           // of those it knew, nobody lets this node in
  kForeignKeys,       // the leader, `subject`, tells keys that do not follow from this node's
  kSigned,            // the last of `witnesses.accusers` signed that it accuses it; `reporter` told
  kNotConfirmed,      // accused by hearsay; too few signed that
};

// Who stands behind a suspicion or a removal, by slot.
struct Witnesses {
  static constexpr std::size_t kAccusersMax = 3;
  static constexpr std::size_t kRelaysMax = 6;

  std::array<std::uint32_t, kAccusersMax> accusers{};  // in the order in which they were heard of
  std::array<std::uint32_t, kRelaysMax> relays{};      // asked to probe it on this node's behalf
  std::uint8_t accuser_count = 0;
  std::uint8_t relay_count = 0;
  std::uint8_t relay_failures = 0;  // relays that reported that they had no answer either

  // Notes that `slot` was asked to probe; once is enough, and no more than fit.
  void AddRelay(std::uint32_t slot);
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
  std::uint32_t incarnation = 0;           // the subject's; 0: of no interest
  Witnesses witnesses;
};

// One word for machines, for example `suspected`.
std::string_view KindName(EventKind kind);

// One word for machines, for example `probes-unanswered`.
std::string_view EvidenceName(Evidence evidence);

// A short sentence for people: the evidence. `name_of` says how to call the member of a slot.
std::string Explain(const Event& event, const std::function<std::string(std::uint32_t)>& name_of);

}  // namespace radix::flock
