// Situations of a few nodes, each made for one rule of flock: a trial returns what went wrong, or
// nothing. The one of a rule finds nothing unless the rule is broken (mutants_test.cc).

#pragma once

#include <cstdint>
#include <string>

namespace radix::sim {

// What a trial may say besides the simulator's invariants.
inline constexpr const char* kNoLeader = "no leader";
inline constexpr const char* kDisturbed = "a newcomer disturbed the leader";
inline constexpr const char* kNoYielding = "two sealed leaders met, and none yielded";
inline constexpr const char* kTakenForAReplay = "what was new was taken for a replay";
inline constexpr const char* kTakenByAnother = "taken by who it was not for";
inline constexpr const char* kLackedTheKey = "some lacked the key that others used";
inline constexpr const char* kNotOnDisk = "a key was used that was not in every key file";
inline constexpr const char* kUndone = "a rotation of the secondary key was undone";
inline constexpr const char* kTwoViews = "two views";
inline constexpr const char* kForeignKey = "a key of one that does not lead is used";
inline constexpr const char* kCountedTheRevoked = "leads by the leases of revoked nodes";
inline constexpr const char* kLetIn = "a revoked node was let in";
inline constexpr const char* kFalseLeader = "one that is not sealed is taken for the leader";
inline constexpr const char* kLostLeadership = "the leader stepped down by the word of another";
inline constexpr const char* kEpochsUsedUp = "an absurd epoch was granted";
inline constexpr const char* kLostVotes = "some lost their votes by the word of one";
inline constexpr const char* kForeignSecondary = "all secondary keys were replaced at once";
inline constexpr const char* kTakenIdentity = "one is known by the key of another";
inline constexpr const char* kOffTheList = "who was well is off a list";

// Leases: never two leaders, and no epoch twice.
std::string AMemberThatForgot(std::uint64_t seed);
std::string TwoEqualHalves(std::uint64_t seed);
std::string TwoMachinesAtOneAddress(std::uint64_t seed);
std::string APowerCutAtTheSealing(std::uint64_t seed);
std::string ALeaderThatForgot(std::uint64_t seed);
std::string LateAnswers(std::uint64_t seed);
std::string ASlowClockAmongFastOnes(std::uint64_t seed);
std::string ALeaderThatIsCutOff(std::uint64_t seed);
std::string TwoOfThreeThatForgot(std::uint64_t seed);
std::string AFourthOfThree(std::uint64_t seed);
std::string AReplacementThatAVoterMisses(std::uint64_t seed);
std::string AVoterThatMissedAReplacement(std::uint64_t seed);
std::string ALeaderThatLeaves(std::uint64_t seed);

// A leader soon, whatever lasts; and one view.
std::string AConnectedMajority(std::uint64_t seed);
std::string TwoThatDoNotHearEachOther(std::uint64_t seed);
std::string ALeaderThatHearsNoAnswer(std::uint64_t seed);
std::string NewcomersThatRankFirst(std::uint64_t seed);
std::string TwoSealedThatMeet(std::uint64_t seed);
std::string IslandsThatMeetAgain(std::uint64_t seed);

// Nodes whose keys were revoked.
std::string ARevokedLeaderThatNobodyTold(std::uint64_t seed);
std::string LeasesOfRevokedNodes(std::uint64_t seed);
std::string ARevokedNodeThatKnocks(std::uint64_t seed);

// Datagrams.
std::string AlteredDatagrams(std::uint64_t seed);
std::string DatagramsForAnother(std::uint64_t seed);
std::string ACapture(std::uint64_t seed);

// Rotation of keys.
std::string ARotation(std::uint64_t seed);
std::string AFullDisk(std::uint64_t seed);
std::string ALeaderThatMissedARotation(std::uint64_t seed);

// A member that lies.
std::string OneMemberAccuses(std::uint64_t seed);
std::string OneMemberAccusesInOthersNames(std::uint64_t seed);
std::string InventedMembersAccuse(std::uint64_t seed);
std::string AnotherSaysGoodBye(std::uint64_t seed);
std::string AnotherBootIsInvented(std::uint64_t seed);
std::string AnotherHandsOutKeys(std::uint64_t seed);
std::string AMemberSaysThatItLeads(std::uint64_t seed);
std::string AMemberWithoutAVoteSaysThatItLeads(std::uint64_t seed);
std::string AMemberHoldsUpALeader(std::uint64_t seed);
std::string ALeaderAsksForAnAbsurdEpoch(std::uint64_t seed);
std::string AMemberTellsAList(std::uint64_t seed);
std::string ALeaderTellsForeignKeys(std::uint64_t seed);
std::string AMemberTakesTheIdentityOfAnother(std::uint64_t seed);

}  // namespace radix::sim
