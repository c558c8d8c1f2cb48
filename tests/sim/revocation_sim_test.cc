// What becomes of a node whose key was revoked, and of the others.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/key_operator.h"
#include "tests/sim/scenario.h"

namespace radix::sim {
namespace {

using flock::KeyStep;

class RevocationTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::size_t kNodes = 5;

  RevocationTest() {
    for (std::size_t i = 0; i < kNodes; ++i) cluster_.Boot(i);
    EXPECT_TRUE(cluster_.RunUntilTrue([&] { return cluster_.OneView() && cluster_.OneLeader(); },
                                      Duration(30s)));
    cluster_.RunFor(2s);
    leader_ = cluster_.Leader().value_or(0);
  }
  ~RevocationTest() override {
    for (const std::string& violation : cluster_.Violations()) ADD_FAILURE() << violation;
  }

  static ClusterOptions Options() {
    ClusterOptions options;
    options.nodes = kNodes;
    options.seed = GetParam();
    return options;
  }

  void TellAllBut(std::size_t node) {
    for (std::size_t i = 0; i < kNodes; ++i) {
      if (i != node) cluster_.TellRevoked(i);
    }
  }

  Cluster cluster_{Options()};
  std::size_t leader_ = 0;
};

TEST_P(RevocationTest, ALeaderThatHearsOfItStepsDownAndAnotherIsThereWhenItsLeaseHasRunOut) {
  cluster_.Revoke(leader_);
  for (std::size_t i = 0; i < kNodes; ++i) cluster_.TellRevoked(i);
  // It still has to have its own revocation acknowledged.
  cluster_.RunFor(900ms);
  EXPECT_TRUE(cluster_.flock(leader_).own_leadership(cluster_.LocalNow(leader_)));
  EXPECT_TRUE(cluster_.RunUntilTrue([&] { return cluster_.OneLeader(); }, 4s));
  EXPECT_NE(cluster_.Leader(), leader_);
  // Nor ever again, whoever else boots again and has to remember it.
  for (std::size_t i = 0; i < kNodes; ++i) {
    cluster_.Crash(i);
    cluster_.Boot(i);
    cluster_.RunFor(4s);
    EXPECT_FALSE(cluster_.flock(leader_).own_leadership(cluster_.LocalNow(leader_)));
  }
  EXPECT_TRUE(cluster_.OneLeader());
}

TEST_P(RevocationTest, ALeaderThatNeverHearsOfItLosesItsLeases) {
  cluster_.Revoke(leader_);
  std::vector<flock::Event> alarms;
  cluster_.on_event = [&](std::size_t node, const flock::Event& event) {
    if (node == leader_ && event.kind == flock::EventKind::kAlarm) alarms.push_back(event);
  };
  TellAllBut(leader_);
  EXPECT_TRUE(cluster_.RunUntilTrue([&] { return cluster_.OneLeader(); }, 6s));
  cluster_.RunFor(20s);
  EXPECT_TRUE(cluster_.OneLeader());
  // It was told why, once.
  ASSERT_EQ(alarms.size(), 1U);
  EXPECT_EQ(alarms[0].evidence, flock::Evidence::kRevoked);
  EXPECT_NE(alarms[0].reporter, alarms[0].subject);
}

TEST_P(RevocationTest, ItGetsNoNewTransientKeyAndIsOffAllLists) {
  const std::size_t revoked = (leader_ + 1) % kNodes;
  cluster_.Revoke(revoked);
  const std::uint32_t before = cluster_.flock(revoked).transient_key_id();
  for (std::size_t i = 0; i < kNodes; ++i) cluster_.TellRevoked(i);
  cluster_.RunFor(2s);
  for (std::size_t i = 0; i < kNodes; ++i) {
    EXPECT_EQ(cluster_.flock(i).transient_key_id() == before, i == revoked) << i;
  }
  cluster_.RunFor(70s);  // the key of before is accepted for a minute
  for (std::size_t i = 0; i < kNodes; ++i) {
    if (i != revoked) {
      EXPECT_EQ(cluster_.flock(i).live_count(), kNodes - 1) << i;
    }
  }
  EXPECT_EQ(cluster_.Leader(), leader_) << "all that does not disturb the leader";
  // A node that hears nobody is slow in its verdicts.
  cluster_.RunFor(110s);
  EXPECT_EQ(cluster_.flock(revoked).live_count(), 1U);
}

TEST_P(RevocationTest, ARotationOfTheSecondaryKeyWaitsForItNoMoreAndLeavesItOut) {
  const std::size_t revoked = (leader_ + 1) % kNodes;
  const std::vector<flock::Key> old = cluster_.flock(revoked).secondary_keys();
  cluster_.Revoke(revoked);
  TellAllBut(revoked);
  KeyOperator person(cluster_);
  for (int round = 0; round < 2; ++round) {
    const std::uint32_t from = person.CurrentKey();
    for (const KeyStep step : {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove}) {
      person.Ask((leader_ + 2) % kNodes, {step, from, false, 0});
      cluster_.RunFor(3s);
    }
  }
  for (std::size_t i = 0; i < kNodes; ++i) {
    const std::vector<flock::Key> keys = cluster_.flock(i).secondary_keys();
    EXPECT_EQ(keys == old, i == revoked) << i;
    if (i != revoked) {
      EXPECT_EQ(std::ranges::count(keys, old.front()), 0) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RevocationTest, testing::Range<std::uint64_t>(1, 9));

class UnevenRevocationTest : public testing::TestWithParam<std::size_t> {};

TEST_P(UnevenRevocationTest, NeverHasTwoLeadersNorInTheEndARevokedOne) {
  for (std::uint64_t seed = 1; seed <= (GetParam() < 20 ? 80 : 10); ++seed) {
    ScenarioOptions options;
    options.name = "revocations";
    options.nodes = GetParam();
    options.seed = seed;
    const auto result = RunScenario(options);
    ASSERT_TRUE(result.ok()) << result.status();
    const std::string again = CommandOf(options);
    for (const std::string& violation : result->violations) ADD_FAILURE() << violation << again;
    EXPECT_TRUE(result->converged) << again;
    EXPECT_LE(result->sealed_ms, 12000) << again;
  }
}

INSTANTIATE_TEST_SUITE_P(Nodes, UnevenRevocationTest, testing::Values(3, 4, 5, 9, 30));

}  // namespace
}  // namespace radix::sim
