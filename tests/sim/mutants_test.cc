// Every rule of flock in mutant.h, broken on purpose: a trial made for it must notice, and for the
// reason meant; and it must find nothing where the rule is kept.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>

#include "services/flock/mutant.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
namespace {

using flock::Rule;

// Breaks a rule for as long as it lives.
class Break {
 public:
  explicit Break(Rule rule) { flock::broken_rule = rule; }
  ~Break() { flock::broken_rule = Rule::kNone; }
};

struct Case {
  Rule rule;
  const char* name;
  std::string (*trial)(std::uint64_t seed);
  const char* complaint;  // all that the trial may say where the rule is broken; a pattern
};

constexpr const char* kTwoLeaders = "two sealed leaders|is sealed under epoch [0-9]+, not above";
constexpr const char* kTwoGrants = "granted epoch [0-9]+ after epoch [0-9]+";

constexpr Case kCases[] = {
    {Rule::kWaitsAfterBoot, "WaitsAfterBoot", AMemberThatForgot, kTwoLeaders},
    {Rule::kQuorumIsMoreThanHalf, "QuorumIsMoreThanHalf", TwoEqualHalves, kTwoLeaders},
    {Rule::kOneVoterPerSlot, "OneVoterPerSlot", TwoMachinesAtOneAddress, kTwoLeaders},
    {Rule::kRecordsBeforeItAnswers, "RecordsBeforeItAnswers", APowerCutAtTheSealing, kTwoGrants},
    {Rule::kHolderIsOneBoot, "HolderIsOneBoot", ALeaderThatForgot, kTwoGrants},
    {Rule::kLeaseCountsFromTheRequest, "LeaseCountsFromTheRequest", LateAnswers, kTwoLeaders},
    {Rule::kMarginForDrift, "MarginForDrift", ASlowClockAmongFastOnes, kTwoLeaders},
    {Rule::kOneLeaseAtATime, "OneLeaseAtATime", ALeaderThatIsCutOff, kTwoLeaders},
    {Rule::kEpochsOnlyRise, "EpochsOnlyRise", TwoOfThreeThatForgot, kTwoGrants},
    {Rule::kNewestHaveNoVote, "NewestHaveNoVote", AFourthOfThree, kTwoLeaders},
    {Rule::kNoGrantToALesserList, "NoGrantToALesserList", AVoterThatMissedAReplacement,
     kTwoLeaders},
    {Rule::kListIsKnownBeforeTheNext, "ListIsKnownBeforeTheNext", AReplacementThatAVoterMisses,
     kTwoLeaders},
    {Rule::kSaysThatItCountsNoQuorum, "SaysThatItCountsNoQuorum", AConnectedMajority, kNoLeader},
    {Rule::kOnlyContactCounts, "OnlyContactCounts", AConnectedMajority, kNoLeader},
    {Rule::kRenewalEchoesTheAnswer, "RenewalEchoesTheAnswer", ALeaderThatHearsNoAnswer, kNoLeader},
    {Rule::kGrantsOnlyWhoRanksFirst, "GrantsOnlyWhoRanksFirst", TwoThatDoNotHearEachOther,
     kNoLeader},
    {Rule::kIncumbentRanksFirst, "IncumbentRanksFirst", NewcomersThatRankFirst, kDisturbed},
    {Rule::kLesserOfTwoSealedYields, "LesserOfTwoSealedYields", TwoSealedThatMeet, kNoYielding},
    {Rule::kRevokedGetNoLease, "RevokedGetNoLease", ARevokedLeaderThatNobodyTold,
     "a revoked node is sealed"},
    {Rule::kRevokedCountForNothing, "RevokedCountForNothing", LeasesOfRevokedNodes,
     kCountedTheRevoked},
    {Rule::kNobodyLetsTheRevokedIn, "NobodyLetsTheRevokedIn", ARevokedNodeThatKnocks, kLetIn},
    {Rule::kAuthenticatesBeforeTheWindow, "AuthenticatesBeforeTheWindow", AlteredDatagrams,
     kTakenForAReplay},
    {Rule::kBoundToItsDestination, "BoundToItsDestination", DatagramsForAnother, kTakenByAnother},
    {Rule::kBoundToItsDestination, "BoundToItsDestinationInACapture", ACapture,
     "a datagram that was replayed changed node"},
    {Rule::kOneKeySlotAtATime, "OneKeySlotAtATime", ARotation, kLackedTheKey},
    {Rule::kAcknowledgesItsKeyFile, "AcknowledgesItsKeyFile", AFullDisk, kNotOnDisk},
    {Rule::kReadsKeysBeforeItOrders, "ReadsKeysBeforeItOrders", ALeaderThatMissedARotation,
     kUndone},
    {Rule::kTombstonesAreDialled, "TombstonesAreDialled", IslandsThatMeetAgain, kTwoViews},
    {Rule::kThreeAccuse, "ThreeAccuse", OneMemberAccuses, kOffTheList},
    {Rule::kStatementsAreSigned, "StatementsAreSigned", OneMemberAccusesInOthersNames, kOffTheList},
    {Rule::kOnlyTheSettledAccuse, "OnlyTheSettledAccuse", InventedMembersAccuse, kOffTheList},
    {Rule::kOnlyTheOwnerSaysGoodBye, "OnlyTheOwnerSaysGoodBye", AnotherSaysGoodBye, kOffTheList},
    {Rule::kKeysOnlyFromItsLeader, "KeysOnlyFromItsLeader", AnotherHandsOutKeys, kForeignKey},
    {Rule::kABootProvesItself, "ABootProvesItself", AnotherBootIsInvented, kOffTheList},
    {Rule::kSealedLeasesRunOut, "SealedLeasesRunOut", ALeaderThatLeaves, kTwoLeaders},
    {Rule::kOneWordMovesNobody, "OneWordMovesNobody", AMemberSaysThatItLeads, kFalseLeader},
    {Rule::kOneWordUnsealsNobody, "OneWordUnsealsNobody", AMemberSaysThatItLeads, kLostLeadership},
    {Rule::kOnlyVotersLead, "OnlyVotersLead", AMemberWithoutAVoteSaysThatItLeads, kFalseLeader},
    {Rule::kNobodyWaitsForEver, "NobodyWaitsForEver", AMemberHoldsUpALeader, kNoLeader},
    {Rule::kEpochsAreBounded, "EpochsAreBounded", ALeaderAsksForAnAbsurdEpoch, kEpochsUsedUp},
    {Rule::kListsComeFromTheLeader, "ListsComeFromTheLeader", AMemberTellsAList, kLostVotes},
    {Rule::kLaterKeysKnowTheEarlier, "LaterKeysKnowTheEarlier", ALeaderTellsForeignKeys,
     kForeignSecondary},
    {Rule::kIdentitiesAreProven, "IdentitiesAreProven", AMemberTakesTheIdentityOfAnother,
     kTakenIdentity},
};

constexpr std::uint64_t kSeeds = 20;
// The least of them that must notice: not every seed brings about what the rule is for.
constexpr std::uint64_t kNoticedLeast = 4;

class MutantsTest : public testing::TestWithParam<Case> {};

TEST_P(MutantsTest, IsNoticedWhenBrokenAndNothingIsNoticedWhenKept) {
  const Case& mutant = GetParam();
  std::uint64_t noticed = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_EQ(mutant.trial(seed), "") << "kept, with seed " << seed;
    const Break broken(mutant.rule);
    const std::string complaint = mutant.trial(seed);
    if (complaint.empty()) continue;
    ++noticed;
    EXPECT_THAT(complaint, testing::ContainsRegex(mutant.complaint)) << "with seed " << seed;
  }
  std::cout << "noticed with " << noticed << " of " << kSeeds << " seeds\n";
  EXPECT_GE(noticed, kNoticedLeast);
}

TEST(MutantsTableTest, HasACaseForEachRule) {
  for (int number = 1; number < static_cast<int>(Rule::kEnd); ++number) {
    EXPECT_EQ(std::ranges::count(kCases, static_cast<Rule>(number), &Case::rule) > 0, true)
        << "rule " << number << " of mutant.h has no case here";
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, MutantsTest, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace radix::sim
