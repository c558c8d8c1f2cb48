// Who boots while datagrams of the handshake get lost: one that was let in may not know it, and one
// that let somebody in may count its keys as shared though nobody has them.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "services/flock/handshake.h"
#include "services/flock/packet_codec.h"
#include "tests/sim/cluster.h"

namespace radix::sim {
namespace {

using Bytes = std::span<const std::uint8_t>;

bool IsOfDoor(Bytes bytes) {
  const auto header = flock::DecodeHeader(bytes);
  return header && header->type <= flock::PacketType::kWelcome;
}

// Those after which somebody was found already.
bool HasToken(Bytes bytes) {
  const auto header = flock::DecodeHeader(bytes);
  return header && (header->type == flock::PacketType::kWelcome ||
                    header->type == flock::PacketType::kTokenHello);
}

struct Boot {
  Duration took{};        // until all had one view and one sealed leader
  std::size_t asked = 0;  // how often it was asked whether one gets lost, in the first second
};

// `loses` says it of the how-many-th that `is_meant`.
Boot BootAll(const ClusterOptions& options, const std::function<bool(Bytes)>& is_meant,
             const std::function<bool(std::size_t)>& loses) {
  Cluster cluster(options);
  const Instant start = cluster.now();
  Boot boot;
  cluster.lets_pass = [&](std::size_t, std::size_t, Bytes bytes) {
    if (cluster.now() - start >= 1s || !is_meant(bytes)) return true;
    return !loses(boot.asked++);
  };
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.Boot(i);
  cluster.RunUntilTrue([&] { return cluster.OneView() && cluster.OneLeader(); }, 30s);
  boot.took = cluster.now() - start;
  EXPECT_EQ(cluster.violation_count(), 0U);
  return boot;
}

// Loses each two of those that are meant, and one alone. Returns how many times it did.
int LoseEachTwo(const ClusterOptions& options, const std::function<bool(Bytes)>& is_meant) {
  int count = 0;
  const Boot whole = BootAll(options, is_meant, [](std::size_t) { return false; });
  for (std::size_t a = 0; a < whole.asked; ++a) {
    for (std::size_t b = a; b < whole.asked; ++b, ++count) {
      const Boot boot = BootAll(options, is_meant, [&](std::size_t i) { return i == a || i == b; });
      EXPECT_LE(boot.took, whole.took + 3s)
          << options.nodes << " nodes, seed " << options.seed << " without " << a << " and " << b;
    }
  }
  return count;
}

TEST(LossyDoorTest, AnyTwoDatagramsOfTheHandshakesMayBeLost) {
  int count = 0;
  for (std::size_t nodes = 2; nodes <= 5; ++nodes) {
    for (std::uint64_t seed = 1; seed <= (nodes == 2 ? 20 : 2); ++seed) {
      ClusterOptions options;
      options.nodes = nodes;
      options.seed = seed;
      count += LoseEachTwo(options, IsOfDoor);
    }
  }
  EXPECT_GT(count, 1000);
}

// Where most guesses hit nobody, who answered once is not to be looked for again.
TEST(LossyDoorTest, WhoWasFoundInASparseRangeIsNotForgottenForLostDatagrams) {
  int count = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    ClusterOptions options;
    options.nodes = 2;
    options.density = 0.1;
    options.seed = seed;
    count += LoseEachTwo(options, HasToken);
  }
  EXPECT_GT(count, 100);
}

TEST(LossyDoorTest, ManyDatagramsOfTheFirstSecondMayBeLost) {
  for (std::size_t nodes = 2; nodes <= 5; ++nodes) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      ClusterOptions options;
      options.nodes = nodes;
      options.seed = seed;
      Random random(seed);
      const auto any = [](Bytes) { return true; };
      const Boot boot = BootAll(options, any, [&](std::size_t) { return random.Chance(0.3); });
      EXPECT_LE(boot.took, Duration(6s)) << nodes << " nodes, seed " << seed;
    }
  }
}

}  // namespace
}  // namespace radix::sim
