// Rules of flock that can be broken on purpose, to see that the simulator notices.

#pragma once

#include <cstdint>

namespace radix::flock {

// Each is a rule that flock keeps; see where it is asked for.
enum class Rule : std::uint8_t {
  kNone,
  // Leases: two leaders, or an epoch granted twice, when broken.
  kWaitsAfterBoot,
  kQuorumIsMoreThanHalf,
  kOneVoterPerSlot,
  kRecordsBeforeItAnswers,
  kHolderIsOneBoot,
  kLeaseCountsFromTheRequest,
  kMarginForDrift,
  kOneLeaseAtATime,
  kEpochsOnlyRise,
  kNewestHaveNoVote,
  kNoGrantToALesserList,
  kListIsKnownBeforeTheNext,
  // Leases: time lost, or for ever no leader.
  kSaysThatItCountsNoQuorum,
  kOnlyContactCounts,
  kRenewalEchoesTheAnswer,
  kGrantsOnlyWhoRanksFirst,
  kIncumbentRanksFirst,
  kLesserOfTwoSealedYields,
  kSealedLeasesRunOut,
  // Revocation: it leads, is counted, or is let in.
  kRevokedGetNoLease,
  kRevokedCountForNothing,
  kNobodyLetsTheRevokedIn,
  // Packets and keys.
  kAuthenticatesBeforeTheWindow,
  kBoundToItsDestination,
  kOneKeySlotAtATime,
  kAcknowledgesItsKeyFile,
  kReadsKeysBeforeItOrders,
  kKeysOnlyFromItsLeader,
  // Islands.
  kTombstonesAreDialled,
  // Insiders: somebody who is well is removed, when broken.
  kThreeAccuse,
  kStatementsAreSigned,
  kOnlyTheSettledAccuse,
  kOnlyTheOwnerSaysGoodBye,
  kABootProvesItself,
  // Insiders: somebody leads, votes, or is somebody else, by one member's word, when broken.
  kOneWordMovesNobody,
  kOneWordUnsealsNobody,
  kOnlyVotersLead,
  kNobodyWaitsForEver,
  kEpochsAreBounded,
  kListsComeFromTheLeader,
  kLaterKeysKnowTheEarlier,
  kIdentitiesAreProven,
  kEnd,  // the number of all these
};

// Whether `rule` is not kept. In production that is a constant, and costs nothing; only in
// tests/sim/mutants_test can one be chosen. Not for headers: not all who include them are built
// anew.
#ifdef RADIX_FLOCK_MUTANTS
inline Rule broken_rule = Rule::kNone;
inline bool IsBroken(Rule rule) { return rule == broken_rule; }
#else
constexpr bool IsBroken(Rule /*rule*/) { return false; }
#endif

}  // namespace radix::flock
