// Trials of what gives a bloc a leader soon, and keeps it, whatever lasts; and one view.

#include <cstddef>
#include <functional>
#include <string>

#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
namespace {

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

}  // namespace

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

// Some come late, and rank before who leads by then.
std::string NewcomersThatRankFirst(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  for (std::size_t i = 0; i < 3; ++i) cluster.Boot(i);
  if (!cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit)) return kNoLeader;
  const std::size_t leader = *cluster.Leader();
  for (std::size_t i = 3; i < 5; ++i) cluster.Boot(i);
  cluster.RunFor(10s);
  return cluster.Leader() == leader && cluster.OneLeader() ? "" : kDisturbed;
}

// By a charter that says too few, two islands have a leader each; then they meet.
std::string TwoSealedThatMeet(std::uint64_t seed) {
  ClusterOptions options = Nodes(6, seed);
  options.at_most = 3;
  Cluster cluster(options);
  Part(cluster, {0, 1, 2});
  BootAll(cluster);
  cluster.RunFor(8s);
  cluster.network().Heal();
  return cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, 20s) ? "" : kNoYielding;
}

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

}  // namespace radix::sim
