// Every rule of flock in mutant.h, broken on purpose: a trial made for it must notice, and for the
// reason meant; and it must find nothing where the rule is kept.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "services/flock/mutant.h"
#include "services/flock/packet_codec.h"
#include "tests/sim/cluster.h"
#include "tests/sim/key_operator.h"

namespace radix::sim {
namespace {

using flock::EventKind;
using flock::KeyStep;
using flock::Rule;
using Bytes = std::span<const std::uint8_t>;

constexpr Duration kLimit = 30s;

// What a trial may say besides the simulator's invariants.
constexpr const char* kNoLeader = "no leader";
constexpr const char* kTakenForAReplay = "what was new was taken for a replay";
constexpr const char* kTakenByAnother = "taken by who it was not for";
constexpr const char* kLackedTheKey = "some lacked the key that others used";
constexpr const char* kNotOnDisk = "a key was used that was not in every key file";
constexpr const char* kUndone = "a rotation of the secondary key was undone";
constexpr const char* kTwoViews = "two views";

ClusterOptions Nodes(std::size_t nodes, std::uint64_t seed) {
  ClusterOptions options;
  options.nodes = nodes;
  options.seed = seed;
  return options;
}

void BootAll(Cluster& cluster) {
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.Boot(i);
}

// Boots all and waits for their leader.
std::size_t Lead(Cluster& cluster) {
  BootAll(cluster);
  cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit);
  cluster.RunFor(2s);
  return cluster.Leader().value_or(0);
}

// Neither hears the other.
void CutBoth(Cluster& cluster, std::size_t a, std::size_t b) {
  cluster.network().Cut(a, b);
  cluster.network().Cut(b, a);
}

// Only those of `side` hear each other; and so the others.
void Part(Cluster& cluster, const std::vector<std::size_t>& side) {
  std::vector<std::uint8_t> sides(cluster.size());
  for (const std::size_t node : side) sides[node] = 1;
  cluster.network().Partition(sides, false);
}

std::string Violations(const Cluster& cluster) {
  const auto violations = cluster.Violations();
  return violations.empty() ? "" : violations.front();
}

bool IsPair(Bytes datagram) {
  const auto header = flock::DecodeHeader(datagram);
  return header && header->type == flock::PacketType::kPair;
}

// ---- Leases: never two leaders, no epoch twice ----

// A member without a disk boots again and at once hears only the leader's rival.
std::string AMemberThatForgot(std::uint64_t seed) {
  ClusterOptions options = Nodes(3, seed);
  options.with_disk = 0;
  Cluster cluster(options);
  const std::size_t leader = Lead(cluster);
  const std::size_t member = (leader + 1) % 3;
  const std::size_t rival = (leader + 2) % 3;
  CutBoth(cluster, leader, rival);
  cluster.RunFor(4s);  // what the rival itself granted has run out
  Part(cluster, {leader});
  cluster.Crash(member);
  cluster.Boot(member);
  cluster.RunFor(4s);
  return Violations(cluster);
}

std::string TwoEqualHalves(std::uint64_t seed) {
  Cluster cluster(Nodes(4, seed));
  const std::size_t leader = Lead(cluster);
  Part(cluster, {leader, (leader + 1) % 4});
  cluster.RunFor(8s);
  return Violations(cluster);
}

// Two machines have one address: together with them the leader has three of five slots, or has it?
std::string TwoMachinesAtOneAddress(std::uint64_t seed) {
  ClusterOptions options = Nodes(6, seed);
  options.at_most = 5;
  options.twins = 1;  // the last node is where the first is
  Cluster cluster(options);
  BootAll(cluster);
  cluster.RunFor(8s);
  const auto leader = cluster.Leader();
  // The two are two voters where neither knows of the other; no rule of flock's can help that.
  if (!leader || *leader == 0 || *leader == 5 || !Violations(cluster).empty()) return "";
  Part(cluster, {0, *leader, 5});
  cluster.RunFor(10s);
  return Violations(cluster);
}

// The power fails as soon as a leader is sealed; half of what was being written reaches the disks.
std::string APowerCutAtTheSealing(std::uint64_t seed) {
  Cluster cluster(Nodes(3, seed));
  BootAll(cluster);
  cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, kLimit, 50us);
  for (std::size_t i = 0; i < 3; ++i) cluster.Crash(i);
  cluster.RunFor(4s);
  Lead(cluster);
  return Violations(cluster);
}

// The leader boots again, and knows nothing of what it was.
std::string ALeaderThatForgot(std::uint64_t seed) {
  ClusterOptions options = Nodes(3, seed);
  options.with_disk = 0;
  Cluster cluster(options);
  const std::size_t leader = Lead(cluster);
  cluster.Crash(leader);
  cluster.Boot(leader);
  cluster.RunFor(10s);
  return Violations(cluster);
}

// The last answers that a leader hears before it is cut off have been under way for long.
std::string LateAnswers(std::uint64_t seed) {
  Cluster cluster(Nodes(3, seed));
  const std::size_t leader = Lead(cluster);
  std::vector<std::pair<std::size_t, std::vector<std::uint8_t>>> late;
  cluster.lets_pass = [&](std::size_t from, std::size_t to, Bytes datagram) {
    if (to != leader || !IsPair(datagram)) return true;
    late.emplace_back(from, std::vector(datagram.begin(), datagram.end()));
    return false;
  };
  cluster.RunUntilTrue([&] { return !late.empty(); }, kLimit, 1ms);
  Part(cluster, {leader});
  cluster.RunFor(1500ms);
  for (const auto& [from, datagram] : late) cluster.Inject(cluster.slot(from), leader, datagram);
  cluster.RunFor(4s);
  return Violations(cluster);
}

// The leader's clock is slow, all others are fast.
std::string ASlowClockAmongFastOnes(std::uint64_t seed) {
  Cluster cluster(Nodes(3, seed));
  for (std::size_t i = 0; i < 3; ++i) cluster.SetClock(i, i == 0 ? -10000 : 10000);
  if (Lead(cluster) != 0) return "";
  Part(cluster, {0});
  cluster.RunFor(6s);
  return Violations(cluster);
}

// Four machines, of which three may be members.
ClusterOptions ThreeOfFour(std::uint64_t seed) {
  ClusterOptions options = Nodes(4, seed);
  options.at_most = 3;
  return options;
}

// The first three fill the bloc; returns who leads them.
std::size_t LeadOfThree(Cluster& cluster) {
  for (std::size_t i = 0; i < 3; ++i) cluster.Boot(i);
  cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit);
  cluster.RunFor(2s);
  return cluster.Leader().value_or(0);
}

// A bloc of three, full; a fourth comes on one side of a partition.
std::string AFourthOfThree(std::uint64_t seed) {
  Cluster cluster(ThreeOfFour(seed));
  const std::size_t leader = LeadOfThree(cluster);
  Part(cluster, {leader, (leader + 1) % 3});
  cluster.Boot(3);
  cluster.RunFor(10s);
  return Violations(cluster);
}

// One that is gone is replaced; those who have not heard of it meet the one again.
std::string AReplacementThatAVoterMisses(std::uint64_t seed) {
  Cluster cluster(ThreeOfFour(seed));
  const std::size_t leader = LeadOfThree(cluster);
  const std::size_t voter = (leader + 1) % 3;
  const std::size_t gone = (leader + 2) % 3;
  cluster.Boot(3);
  cluster.RunFor(6s);  // it waits
  const flock::MemberId gone_id = cluster.flock(gone).self();
  CutBoth(cluster, leader, gone);
  CutBoth(cluster, 3, gone);
  CutBoth(cluster, voter, gone);
  // Just before the leader takes it for gone, the voter is cut off too, and meets it.
  bool suspected = false;
  cluster.on_event = [&](std::size_t node, const flock::Event& event) {
    suspected = suspected ||
                (node == leader && event.kind == EventKind::kSuspected && event.subject == gone_id);
  };
  cluster.RunUntilTrue([&] { return suspected; }, kLimit, 1ms);
  cluster.RunFor(500ms);
  cluster.network().Heal();
  Part(cluster, {leader, 3});
  cluster.RunFor(8s);
  return Violations(cluster);
}

// ---- Leases: a leader soon, whatever lasts ----

// Whether a bloc of four has a leader within `limit` of its boots, with some links cut for ever.
std::string LeadsWithin(Duration limit, std::uint64_t seed,
                        const std::function<void(Cluster&)>& cut) {
  ClusterOptions options = Nodes(4, seed);
  options.network.latency_most = 40ms;
  Cluster cluster(options);
  cut(cluster);
  BootAll(cluster);
  if (cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, limit)) return "";
  return kNoLeader;
}

// One node is heard by a single other; the other three hear each other.
std::string AConnectedMajority(std::uint64_t seed) {
  for (std::size_t alone = 0; alone < 4; ++alone) {
    const std::string complaint = LeadsWithin(5s, seed, [&](Cluster& cluster) {
      CutBoth(cluster, alone, (alone + 1) % 4);
      CutBoth(cluster, alone, (alone + 2) % 4);
    });
    if (!complaint.empty()) return complaint;
  }
  return "";
}

// Two nodes do not hear each other, and the others must not split between them.
std::string TwoThatDoNotHearEachOther(std::uint64_t seed) {
  for (std::size_t a = 0; a < 4; ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      const std::string complaint =
          LeadsWithin(5s, seed, [&](Cluster& cluster) { CutBoth(cluster, a, b); });
      if (!complaint.empty()) return complaint;
    }
  }
  return "";
}

// The leader asks and hears no answer, and then crashes: nobody may wait longer for it than from
// the last answer that it heard.
std::string ALeaderThatHearsNoAnswer(std::uint64_t seed) {
  Cluster cluster(Nodes(3, seed));
  const std::size_t leader = Lead(cluster);
  cluster.lets_pass = [&](std::size_t, std::size_t to, Bytes datagram) {
    return to != leader || !IsPair(datagram);
  };
  cluster.RunFor(3200ms);  // by now it is unsealed, and asks for all leases anew
  cluster.Crash(leader);
  if (cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, 2400ms)) return "";
  return kNoLeader;
}

// ---- Packets and keys ----

// Headers are altered on the way, which must not matter to what comes after.
std::string AlteredDatagrams(std::uint64_t seed) {
  Cluster cluster(Nodes(4, seed));
  Lead(cluster);
  const auto taken_for_replays = [&cluster] {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += cluster.flock(i).counters().dropped_replayed;
    return sum;
  };
  cluster.network().options().corruption = 0.05;
  cluster.RunFor(5s);
  cluster.network().options().corruption = 0;
  cluster.RunFor(100ms);  // nothing altered is under way any more
  const std::uint64_t before = taken_for_replays();
  cluster.RunFor(1s);
  if (taken_for_replays() != before) return kTakenForAReplay;
  return Violations(cluster);
}

// What was sent to one node is brought to another.
std::string DatagramsForAnother(std::uint64_t seed) {
  Cluster cluster(Nodes(4, seed));
  Lead(cluster);
  struct Sent {
    std::size_t from;
    std::size_t to;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Sent> recorded;
  cluster.lets_pass = [&](std::size_t from, std::size_t to, Bytes bytes) {
    recorded.push_back({from, to, {bytes.begin(), bytes.end()}});
    return true;
  };
  cluster.RunFor(1s);
  cluster.lets_pass = nullptr;
  for (const Sent& sent : recorded) {
    for (std::size_t node = 0; node < 4; ++node) {
      if (node == sent.from || node == sent.to) continue;
      if (cluster.Inject(cluster.slot(sent.from), node, sent.bytes)) {
        return kTakenByAnother;
      }
    }
  }
  return "";
}

// Where nothing is lost, everybody has the next key before anybody uses it, so that nobody has to
// knock at a door: of ten thousand, all would.
std::string ARotation(std::uint64_t seed) {
  ClusterOptions options = Nodes(6, seed);
  options.density = 1;  // nobody is missing, so there are no blind probes
  options.tunables.key_period = 5s;
  Cluster cluster(options);
  Lead(cluster);
  int hellos = 0;
  cluster.lets_pass = [&](std::size_t, std::size_t, Bytes datagram) {
    const auto header = flock::DecodeHeader(datagram);
    if (header && header->type == flock::PacketType::kHello) ++hellos;
    return true;
  };
  const std::uint32_t key = cluster.flock(0).transient_key_id();
  cluster.RunFor(15s);
  if (cluster.flock(0).transient_key_id() == key) return "no rotation";
  return hellos == 0 ? "" : kLackedTheKey;
}

// A key file cannot be written: its owner, which would come back with a key too old, holds up the
// rotation.
std::string AFullDisk(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t leader = Lead(cluster);
  KeyOperator person(cluster);
  const std::uint32_t from = person.CurrentKey();
  cluster.SetKeyFileFull((leader + 1) % 5, true);
  person.Ask(leader, {KeyStep::kInstall, from, false, 0});
  cluster.RunFor(2s);
  person.Ask(leader, {KeyStep::kUse, from, false, 0});
  return person.CurrentKey() == from ? "" : kNotOnDisk;
}

// Who was cut off from a rotation leads, before anybody told it of that.
std::string ALeaderThatMissedARotation(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t leader = Lead(cluster);
  KeyOperator person(cluster);
  const std::uint32_t from = person.CurrentKey();
  for (std::size_t other = 0; other < 5; ++other) {
    if (other != (leader + 1) % 5) CutBoth(cluster, other, (leader + 1) % 5);
  }
  for (const KeyStep step : {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove}) {
    cluster.RunFor(100ms);
    person.Ask(leader, {step, from, true, 0});
  }
  const std::uint32_t rotated = person.CurrentKey();
  if (rotated == from) return "no rotation";
  cluster.RunFor(100ms);
  cluster.Crash((leader + 2) % 5);
  cluster.Crash(leader);
  cluster.network().Heal();
  if (!cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit)) return kNoLeader;
  cluster.RunFor(2s);
  return person.CurrentKey() == rotated ? "" : kUndone;
}

// ---- Islands ----

std::string IslandsThatMeetAgain(std::uint64_t seed) {
  ClusterOptions options = Nodes(6, seed);
  options.density = 1;
  Cluster cluster(options);
  Lead(cluster);
  Part(cluster, {0, 1, 2});
  cluster.RunFor(15s);
  cluster.network().Heal();
  return cluster.RunUntilTrue([&] { return cluster.OneView(); }, 30s) ? "" : kTwoViews;
}

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
    {Rule::kNewestHaveNoVote, "NewestHaveNoVote", AFourthOfThree, kTwoLeaders},
    {Rule::kNoGrantToALesserList, "NoGrantToALesserList", AFourthOfThree, kTwoLeaders},
    {Rule::kListIsKnownBeforeTheNext, "ListIsKnownBeforeTheNext", AReplacementThatAVoterMisses,
     kTwoLeaders},
    {Rule::kSaysThatItCountsNoQuorum, "SaysThatItCountsNoQuorum", AConnectedMajority, kNoLeader},
    {Rule::kOnlyContactCounts, "OnlyContactCounts", AConnectedMajority, kNoLeader},
    {Rule::kRenewalEchoesTheAnswer, "RenewalEchoesTheAnswer", ALeaderThatHearsNoAnswer, kNoLeader},
    {Rule::kGrantsOnlyWhoRanksFirst, "GrantsOnlyWhoRanksFirst", TwoThatDoNotHearEachOther,
     kNoLeader},
    {Rule::kAuthenticatesBeforeTheWindow, "AuthenticatesBeforeTheWindow", AlteredDatagrams,
     kTakenForAReplay},
    {Rule::kBoundToItsDestination, "BoundToItsDestination", DatagramsForAnother, kTakenByAnother},
    {Rule::kOneKeySlotAtATime, "OneKeySlotAtATime", ARotation, kLackedTheKey},
    {Rule::kAcknowledgesItsKeyFile, "AcknowledgesItsKeyFile", AFullDisk, kNotOnDisk},
    {Rule::kReadsKeysBeforeItOrders, "ReadsKeysBeforeItOrders", ALeaderThatMissedARotation,
     kUndone},
    {Rule::kTombstonesAreDialled, "TombstonesAreDialled", IslandsThatMeetAgain, kTwoViews},
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

INSTANTIATE_TEST_SUITE_P(Rules, MutantsTest, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace radix::sim
