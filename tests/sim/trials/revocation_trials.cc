#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
namespace {

void TellAllBut(Cluster& cluster, std::size_t node) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (i != node) cluster.TellRevoked(i);
  }
}

}  // namespace

// It goes on asking: only the others can see to it that it leads no more.
std::string ARevokedLeaderThatNobodyTold(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t leader = Lead(cluster);
  cluster.Revoke(leader);
  TellAllBut(cluster, leader);
  cluster.RunFor(8s);
  if (!Violations(cluster).empty()) return Violations(cluster);
  return cluster.OneLeader() ? "" : kNoLeader;
}

// Of five only the leader and one more are left: less than a quorum.
std::string LeasesOfRevokedNodes(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t leader = Lead(cluster);
  for (std::size_t i = 1; i <= 3; ++i) cluster.Revoke((leader + i) % 5);
  for (std::size_t i = 0; i < 5; ++i) cluster.TellRevoked(i);
  for (int i = 0; i < 100; ++i) {
    if (cluster.Leader()) return kCountedTheRevoked;
    cluster.RunFor(100ms);
  }
  return Violations(cluster);
}

// It boots again, with the key that opens the door.
std::string ARevokedNodeThatKnocks(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t revoked = (Lead(cluster) + 1) % 5;
  cluster.Revoke(revoked);
  TellAllBut(cluster, revoked);
  cluster.Crash(revoked);
  cluster.RunFor(5s);
  cluster.Boot(revoked);
  cluster.RunFor(10s);
  if (cluster.flock(revoked).live_count() > 1) return kLetIn;
  return Violations(cluster);
}

}  // namespace radix::sim
