#include "tests/sim/trials/stage.h"

namespace radix::sim {

ClusterOptions Nodes(std::size_t nodes, std::uint64_t seed) {
  ClusterOptions options;
  options.nodes = nodes;
  options.seed = seed;
  return options;
}

void BootAll(Cluster& cluster) {
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.Boot(i);
}

std::size_t Lead(Cluster& cluster) {
  BootAll(cluster);
  cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit);
  cluster.RunFor(2s);
  return cluster.Leader().value_or(0);
}

void CutBoth(Cluster& cluster, std::size_t a, std::size_t b) {
  cluster.network().Cut(a, b);
  cluster.network().Cut(b, a);
}

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

}  // namespace radix::sim
