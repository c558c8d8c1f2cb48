// What the trials set up and ask.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/flock/packet_codec.h"
#include "tests/sim/cluster.h"

namespace radix::sim {

using flock::EventKind;
using flock::KeyStep;
using Bytes = std::span<const std::uint8_t>;

inline constexpr Duration kLimit = 30s;

ClusterOptions Nodes(std::size_t nodes, std::uint64_t seed);
void BootAll(Cluster& cluster);
// Boots all and waits for their leader.
std::size_t Lead(Cluster& cluster);
// Neither hears the other.
void CutBoth(Cluster& cluster, std::size_t a, std::size_t b);
// Only those of `side` hear each other; and so the others.
void Part(Cluster& cluster, const std::vector<std::size_t>& side);
// The first invariant that did not hold; empty when all did.
std::string Violations(const Cluster& cluster);
bool IsPair(Bytes datagram);

}  // namespace radix::sim
