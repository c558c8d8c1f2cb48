// More nodes than the charter's at_most: the newest have no vote, however the bloc is parted.

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace radix::sim {
namespace {

constexpr Duration kLimit = 30s;

ClusterOptions Options(std::size_t nodes, std::uint32_t at_most, std::uint64_t seed) {
  ClusterOptions options;
  options.nodes = nodes;
  options.at_most = at_most;
  options.seed = seed;
  options.drift_ppm = 10000;
  return options;
}

std::vector<std::size_t> Voters(Cluster& cluster) {
  std::vector<std::size_t> voters;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.up(i) && cluster.flock(i).has_vote()) voters.push_back(i);
  }
  return voters;
}

// One leader, whom all follow, and `at_most` who have a vote; and time for all to have heard it.
bool Settle(Cluster& cluster) {
  const bool settled = cluster.RunUntilTrue(
      [&] {
        return cluster.OneLeader() && cluster.OneView() &&
               Voters(cluster).size() == cluster.charter().at_most;
      },
      kLimit);
  cluster.RunFor(3s);
  return settled;
}

std::string Texts(Cluster& cluster) {
  std::string texts;
  for (const std::string& text : cluster.invariants().violations()) texts += text + "\n";
  return texts;
}

std::vector<std::uint8_t> Sides(std::size_t nodes, std::size_t number) {
  std::vector<std::uint8_t> side(nodes);
  for (std::size_t i = 0; i < nodes; ++i) side[i] = number >> i & 1;
  return side;
}

struct Size {
  std::size_t nodes;
  std::uint32_t at_most;
};

class ElectorateSimTest : public testing::TestWithParam<Size> {};

TEST_P(ElectorateSimTest, ABlocThatIsPartedInAnyWayNeverHasTwoLeaders) {
  const auto [nodes, at_most] = GetParam();
  Cluster cluster(Options(nodes, at_most, 1));
  for (std::size_t i = 0; i < nodes; ++i) cluster.Boot(i);
  ASSERT_TRUE(Settle(cluster));
  for (std::size_t parting = 1; parting < (std::size_t{1} << (nodes - 1)); ++parting) {
    cluster.network().Partition(Sides(nodes, parting), false);
    cluster.RunFor(8s);
    cluster.network().Heal();
    ASSERT_TRUE(Settle(cluster)) << parting;
    ASSERT_EQ(Texts(cluster), "") << parting;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ElectorateSimTest,
                         testing::Values(Size{4, 3}, Size{5, 3}, Size{6, 4}, Size{7, 5}),
                         [](const auto& size) {
                           return std::to_string(size.param.nodes) + "For" +
                                  std::to_string(size.param.at_most);
                         });

// The worst for a bloc that was full: somebody boots who has never met those that are cut off.
TEST(ElectorateTest, WhoBootsBehindAPartitionFindsNobodyToSealItWith) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(Options(5, 3, seed));
    for (std::size_t i = 0; i < 3; ++i) cluster.Boot(i);
    ASSERT_TRUE(Settle(cluster)) << seed;
    const std::size_t leader = *cluster.Leader();
    std::vector<std::uint8_t> side(5, 1);
    side[leader] = side[(leader + 1) % 3] = 0;
    cluster.network().Partition(side, false);
    cluster.Boot(3);
    cluster.RunFor(10s);
    // Here it is three of three; those on the leader's side cannot replace who is cut off either.
    cluster.Boot(4);
    cluster.RunFor(10s);
    EXPECT_EQ(Texts(cluster), "") << seed;
    EXPECT_EQ(cluster.Leader(), leader) << seed;
  }
}

TEST(ElectorateTest, TheNewestAreTurnedAwayAndToldAndStayTurnedAwayWhoeverLeads) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Cluster cluster(Options(5, 3, seed));
    std::vector<std::size_t> told;
    std::vector<flock::MemberId> alarmed;
    cluster.on_event = [&](std::size_t node, const flock::Event& event) {
      if (event.evidence == flock::Evidence::kTurnedAway) told.push_back(node);
      if (event.evidence == flock::Evidence::kTooManyMembers) alarmed.push_back(event.subject);
    };
    for (std::size_t i = 0; i < 3; ++i) cluster.Boot(i);
    ASSERT_TRUE(Settle(cluster)) << seed;
    for (std::size_t i = 3; i < 5; ++i) {
      cluster.Boot(i);
      ASSERT_TRUE(Settle(cluster)) << seed;
      ASSERT_TRUE(cluster.RunUntilTrue([&] { return alarmed.size() == i - 2; }, kLimit)) << seed;
      EXPECT_EQ(alarmed.back(), cluster.flock(i).self());
    }
    EXPECT_EQ(told, (std::vector<std::size_t>{3, 4}));
    EXPECT_EQ(Voters(cluster), (std::vector<std::size_t>{0, 1, 2}));
    for (std::size_t i = 3; i < 5; ++i) {
      EXPECT_FALSE(cluster.flock(i).own_grant(cluster.LocalNow(i)).has_value())
          << "it takes no orders";
      EXPECT_TRUE(cluster.flock(i).sealed_leader(cluster.LocalNow(i)).has_value());
    }
    // The leader boots again, and knows of no list then: one of the three leads all the same.
    const std::size_t leader = *cluster.Leader();
    cluster.Crash(leader);
    cluster.Boot(leader);
    ASSERT_TRUE(Settle(cluster)) << seed;
    EXPECT_EQ(Voters(cluster), (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_LT(*cluster.Leader(), 3U);
    EXPECT_EQ(Texts(cluster), "");
  }
}

TEST(ElectorateTest, ANodeThatCameForOneThatIsGoneTakesItsPlaceAndTheOneIsTurnedAwayWhenItReturns) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Cluster cluster(Options(4, 3, seed));
    for (std::size_t i = 0; i < 3; ++i) cluster.Boot(i);
    ASSERT_TRUE(Settle(cluster)) << seed;
    const std::size_t gone = (*cluster.Leader() + 1) % 3;
    cluster.Crash(gone);
    cluster.RunFor(6s);
    cluster.Boot(3);
    ASSERT_TRUE(cluster.RunUntilTrue(
        [&] { return cluster.flock(3).own_grant(cluster.LocalNow(3)).has_value(); }, kLimit))
        << seed;
    cluster.RunFor(10s);
    EXPECT_TRUE(cluster.flock(3).has_vote());
    cluster.Boot(gone);
    ASSERT_TRUE(Settle(cluster)) << seed;
    EXPECT_TRUE(cluster.flock(3).has_vote());
    EXPECT_FALSE(cluster.flock(gone).has_vote());
    // And when the other one goes for good, it is let in again.
    cluster.Leave(3);
    ASSERT_TRUE(Settle(cluster)) << seed;
    EXPECT_TRUE(cluster.flock(gone).has_vote());
    EXPECT_EQ(Texts(cluster), "");
  }
}

// Partitions, cut links, pauses and newcomers at random, upon a bloc that was full and knew it.
TEST(ElectorateTest, NoRandomFaultsSealTwo) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::size_t extra = 1 + seed % 3;
    const std::uint32_t at_most = 3 + seed % 4;
    const std::size_t nodes = at_most + extra;
    Cluster cluster(Options(nodes, at_most, seed));
    for (std::size_t i = 0; i < at_most; ++i) cluster.Boot(i);
    ASSERT_TRUE(Settle(cluster)) << seed;
    Random& random = cluster.random();
    for (int fault = 0; fault < 30; ++fault) {
      const std::size_t node = random.Below(nodes);
      switch (random.Below(6)) {
        case 0:
        case 1:
          cluster.network().Partition(Sides(nodes, random.Below(std::size_t{1} << nodes)),
                                      random.Chance(0.3));
          break;
        case 2:
          cluster.network().Heal();
          break;
        case 3:
          if (!cluster.up(node)) cluster.Boot(node);
          break;
        case 4:
          cluster.network().Cut(node, random.Below(nodes));
          break;
        default:
          if (!cluster.up(node)) break;
          if (cluster.paused(node)) {
            cluster.Resume(node);
          } else {
            cluster.Pause(node);
          }
      }
      cluster.RunFor(random.Between(100ms, 6s));
    }
    ASSERT_EQ(Texts(cluster), "") << "seed " << seed;
    cluster.network().Heal();
    for (std::size_t i = 0; i < nodes; ++i) cluster.Resume(i);
    EXPECT_TRUE(cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit)) << seed;
  }
}

}  // namespace
}  // namespace radix::sim
