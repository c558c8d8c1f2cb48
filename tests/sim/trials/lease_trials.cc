// Trials of what keeps a bloc from two leaders, and from one epoch twice.

#include <cstddef>
#include <string>

#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
namespace {

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

}  // namespace

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
  // One of those that have an address of their own leads.
  for (std::size_t i = 1; i < 5; ++i) cluster.Boot(i);
  cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit);
  cluster.Boot(0);
  cluster.Boot(5);
  cluster.RunFor(6s);
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
  options.density = 1;  // else it lacks a list that others know, and does not lead
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

// What its members know of a leader's end is older than the leases that it counts.
std::string ALeaderThatIsCutOff(std::uint64_t seed) {
  Cluster cluster(Nodes(3, seed));
  const std::size_t leader = Lead(cluster);
  Part(cluster, {leader});
  cluster.RunFor(4s);
  return Violations(cluster);
}

// Of three, only one remembers which epoch was granted last.
std::string TwoOfThreeThatForgot(std::uint64_t seed) {
  ClusterOptions options = Nodes(3, seed);
  options.with_disk = 0;
  options.density = 1;  // else who remembers also knows a list, and only it can lead
  Cluster cluster(options);
  const std::size_t first = Lead(cluster);
  cluster.Crash(first);
  cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, kLimit);
  cluster.RunFor(1s);
  const std::size_t second = cluster.Leader().value_or((first + 1) % 3);
  cluster.Crash(second);
  cluster.Boot(first);
  cluster.Boot(second);
  cluster.RunFor(10s);
  return Violations(cluster);
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

// Of seven, three are cut off, two of them replaced; then they meet one who knows that, apart from
// the others. The third of them has a vote by either list, and knows only the first.
std::string AVoterThatMissedAReplacement(std::uint64_t seed) {
  ClusterOptions options = Nodes(9, seed);
  options.at_most = 7;
  Cluster cluster(options);
  for (std::size_t i = 0; i < 7; ++i) cluster.Boot(i);
  cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit);
  cluster.RunFor(3s);
  const std::size_t leader = cluster.Leader().value_or(0);
  std::vector<std::size_t> side = {(leader + 1) % 7, (leader + 2) % 7, (leader + 3) % 7};
  Part(cluster, side);
  cluster.Boot(7);
  cluster.Boot(8);
  cluster.RunUntilTrue(
      [&] {
        return cluster.flock(7).own_grant(cluster.LocalNow(7)).has_value() &&
               cluster.flock(8).own_grant(cluster.LocalNow(8)).has_value();
      },
      kLimit);
  cluster.RunFor(2s);
  side.push_back((leader + 4) % 7);
  Part(cluster, side);
  cluster.RunFor(25s);
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

// Whoever acts under its lease on its node hears of the end later than flock.
std::string ALeaderThatLeaves(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  cluster.Leave(Lead(cluster));
  cluster.RunFor(6s);
  return Violations(cluster);
}

}  // namespace radix::sim
