// The secondary key is rotated while things fail: nobody who missed one rotation is shut out.

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/key_operator.h"

namespace radix::sim {
namespace {

using flock::KeyReport;
using flock::KeyResult;
using flock::KeyStep;

constexpr Duration kLimit = 30s;
constexpr KeyStep kSteps[] = {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove};

class RotationTest : public testing::Test {
 protected:
  // A bloc that has rotated its key once, so that all three phases do something.
  void Start(std::size_t nodes, std::uint64_t seed, double loss = 0.01) {
    shut_out_.clear();
    ClusterOptions options;
    options.nodes = nodes;
    options.seed = seed;
    options.network.loss = loss;
    options.network.duplication = 0.01;
    options.network.delay_probability = 0.02;
    cluster_.emplace(options);
    operator_.emplace(*cluster_);
    for (std::size_t i = 0; i < nodes; ++i) cluster_->Boot(i);
    ASSERT_TRUE(AwaitOneBloc(kLimit));
    ASSERT_TRUE(operator_->Rotate());
    cluster_->on_event = [this](std::size_t node, const flock::Event& event) {
      if (event.kind == flock::EventKind::kAlarm && event.evidence == flock::Evidence::kShutOut) {
        shut_out_.push_back(node);
      }
    };
  }
  void TearDown() override {
    if (!cluster_) return;
    for (const std::string& violation : cluster_->Violations()) {
      ADD_FAILURE() << violation;
    }
    operator_.reset();
  }

  bool AwaitOneBloc(Duration limit) {
    return cluster_->RunUntilTrue([&] { return cluster_->OneView() && cluster_->OneLeader(); },
                                  limit);
  }
  bool AwaitOneRing(Duration limit) {
    return cluster_->RunUntilTrue([&] { return operator_->OneRing(); }, limit);
  }
  std::size_t Follower() { return (*cluster_->Leader() + 1) % cluster_->size(); }
  std::uint32_t SlotOf(std::size_t i) { return cluster_->flock(i).self().slot; }

  std::optional<Cluster> cluster_;
  std::optional<KeyOperator> operator_;
  std::vector<std::size_t> shut_out_;
};

TEST_F(RotationTest, IsDoneUnderLossOnEveryKeyFile) {
  for (const double loss : {0.0, 0.05, 0.2}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Start(9, seed, loss);
      const std::uint32_t from = operator_->CurrentKey();
      ASSERT_TRUE(operator_->Rotate()) << loss << " " << seed;
      EXPECT_TRUE(operator_->OneRing()) << loss << " " << seed;
      const flock::SecondaryRing file(cluster_->key_file(0));
      EXPECT_EQ(file.phase(), flock::RotationPhase::kIdle);
      EXPECT_EQ(file.current().tag, operator_->CurrentKey());
      EXPECT_EQ(file.previous()->tag, from);
      EXPECT_TRUE(cluster_->OneView());
      TearDown();
    }
  }
}

TEST_F(RotationTest, GoesOnWhenTheLeaderDiesInAnyPhase) {
  for (const KeyStep killed_in : kSteps) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      Start(5, seed);
      const std::uint32_t from = operator_->CurrentKey();
      std::size_t dead = 0;
      for (const KeyStep step : kSteps) {
        if (step == killed_in) {
          dead = *cluster_->Leader();
          ASSERT_EQ(operator_->Ask(dead, {step, from, false, 0}).result, KeyResult::kDone);
          // Nobody, some or all have heard of it.
          cluster_->RunFor(cluster_->random().Between(0ms, 3ms));
          cluster_->Crash(dead);
        }
        ASSERT_TRUE(operator_->Do(step, from)) << static_cast<int>(killed_in) << " " << seed;
      }
      cluster_->Boot(dead);
      EXPECT_TRUE(AwaitOneBloc(kLimit)) << static_cast<int>(killed_in) << " " << seed;
      EXPECT_TRUE(AwaitOneRing(Duration(10s))) << static_cast<int>(killed_in) << " " << seed;
      EXPECT_TRUE(shut_out_.empty());
      TearDown();
    }
  }
}

TEST_F(RotationTest, APartitionInAnyPhaseStrandsNobody) {
  for (const KeyStep parted_in : kSteps) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      Start(7, seed, 0.05);
      const std::uint32_t from = operator_->CurrentKey();
      const bool with_leader = seed % 2 == 0;
      for (const KeyStep step : kSteps) {
        if (step == parted_in) {
          ASSERT_EQ(operator_->Ask(*cluster_->Leader(), {step, from, false, 0}).result,
                    KeyResult::kDone);
          cluster_->RunFor(cluster_->random().Between(0ms, 3ms));
          std::vector<std::uint8_t> side(7, 0);
          const std::size_t leader = *cluster_->Leader();
          for (std::size_t i = with_leader ? 0 : 1; i < (with_leader ? 3U : 4U); ++i) {
            side[(leader + i) % 7] = 1;
          }
          cluster_->network().Partition(side, false);
          // The operator goes on beside the majority.
          cluster_->RunFor(8s);
        }
        // Asked in the minority, it gets no answer, and asks again.
        ASSERT_TRUE(operator_->Do(step, from, Duration(90s)))
            << static_cast<int>(parted_in) << " " << seed;
      }
      cluster_->network().Heal();
      EXPECT_TRUE(AwaitOneBloc(Duration(10s))) << static_cast<int>(parted_in) << " " << seed;
      EXPECT_TRUE(AwaitOneRing(Duration(10s))) << static_cast<int>(parted_in) << " " << seed;
      TearDown();
    }
  }
}

TEST_F(RotationTest, WhoSleptThroughOneRotationAndManyOfTheTransientKeyIsBackInTwoSeconds) {
  for (const bool reboots : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      Start(6, seed, 0.05);
      const std::size_t sleeper = Follower();
      if (reboots) {
        cluster_->Crash(sleeper);
      } else {
        cluster_->Pause(sleeper);
      }
      // Until it is forgotten, so that it needs the door, and its key of before.
      cluster_->RunFor(11min);
      ASSERT_TRUE(operator_->Rotate());
      cluster_->RunFor(1min);
      if (reboots) {
        cluster_->Boot(sleeper);
      } else {
        cluster_->Resume(sleeper);
      }
      const Instant awake = cluster_->now();
      EXPECT_TRUE(cluster_->RunUntilTrue([&] { return cluster_->OneView(); }, kLimit));
      EXPECT_LE(cluster_->now() - awake, Duration(2s)) << reboots << " " << seed;
      EXPECT_TRUE(AwaitOneRing(Duration(10s))) << reboots << " " << seed;
      EXPECT_TRUE(shut_out_.empty());
      TearDown();
    }
  }
}

TEST_F(RotationTest, WhoSleptThroughTwoIsShutOutSaysSoAndComesBackWithACopiedKeyFile) {
  for (const bool reboots : {false, true}) {
    Start(6, 3);
    const std::size_t sleeper = Follower();
    if (reboots) {
      cluster_->Crash(sleeper);
    } else {
      cluster_->Pause(sleeper);
    }
    // Until it is forgotten: before, the others still share a key with that very boot of it.
    cluster_->RunFor(reboots ? Duration(1min) : Duration(12min));
    ASSERT_TRUE(operator_->Rotate());
    ASSERT_TRUE(operator_->Rotate());
    if (reboots) {
      cluster_->Boot(sleeper);
    } else {
      cluster_->Resume(sleeper);
    }
    EXPECT_TRUE(cluster_->RunUntilTrue([&] { return !shut_out_.empty(); }, Duration(60s)))
        << reboots;
    cluster_->RunFor(60s);
    EXPECT_EQ(shut_out_, std::vector<std::size_t>{sleeper}) << "said once, and only by it";
    EXPECT_EQ(cluster_->flock(*cluster_->Leader()).live_count(), 5U);
    cluster_->Crash(sleeper);
    cluster_->SetKeyFile(sleeper, cluster_->key_file(*cluster_->Leader()));
    cluster_->Boot(sleeper);
    EXPECT_TRUE(AwaitOneBloc(Duration(5s)));
    TearDown();
  }
}

TEST_F(RotationTest, AJoinerWithThePreviousKeyAloneIsBornUpToDate) {
  Start(5, 4);
  const std::size_t joiner = Follower();
  cluster_->Crash(joiner);
  const flock::SecondaryRing file(cluster_->key_file(joiner));
  ASSERT_TRUE(operator_->Rotate());
  cluster_->SetKeyFile(joiner, {file.current().key});
  cluster_->Boot(joiner);
  ASSERT_TRUE(cluster_->RunUntilTrue(
      [&] { return cluster_->flock(joiner).secondary_key_id() == operator_->CurrentKey(); },
      Duration(2s)));
  EXPECT_TRUE(AwaitOneBloc(Duration(5s)));
  EXPECT_TRUE(AwaitOneRing(Duration(5s)));
}

// Cut off for a rotation that is forced without it, then back so soon that it needs no door, and
// sealed before anybody told it: what it does not know must not be undone, nor made twice.
TEST_F(RotationTest, ALeaderThatMissedARotationLearnsOfItBeforeItOrders) {
  int stale_leaders = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Start(5, seed, 0);
    const std::uint32_t from = operator_->CurrentKey();
    const std::size_t leader = *cluster_->Leader();
    const std::size_t stale = (leader + 1) % 5;
    const std::size_t away = (leader + 2) % 5;
    for (std::size_t other = 0; other < 5; ++other) {
      if (other == stale) continue;
      cluster_->network().Cut(other, stale);
      cluster_->network().Cut(stale, other);
    }
    for (const KeyStep step : kSteps) {
      cluster_->RunFor(100ms);
      ASSERT_EQ(operator_->Ask(leader, {step, from, true, 0}).result, KeyResult::kDone) << seed;
    }
    const std::uint32_t rotated = operator_->CurrentKey();
    cluster_->RunFor(100ms);
    cluster_->Crash(away);
    cluster_->Crash(leader);
    cluster_->network().Heal();
    bool was_stale = false;
    ASSERT_TRUE(cluster_->RunUntilTrue(
        [&] {
          was_stale = cluster_->flock(stale).secondary_key_id() == from;
          return cluster_->Leader().has_value();
        },
        kLimit, 1ms));
    if (*cluster_->Leader() == stale && was_stale) ++stale_leaders;
    EXPECT_TRUE(operator_->Do(KeyStep::kInstall, from)) << seed;
    EXPECT_TRUE(operator_->Do(KeyStep::kUse, from)) << seed;
    EXPECT_EQ(operator_->CurrentKey(), rotated) << seed;
    cluster_->Boot(away);
    cluster_->Boot(leader);
    EXPECT_TRUE(AwaitOneBloc(Duration(10s))) << seed;
    EXPECT_TRUE(AwaitOneRing(Duration(10s))) << seed;
    TearDown();
  }
  EXPECT_GT(stale_leaders, 2) << "otherwise nothing was tried";
}

TEST_F(RotationTest, AFullDiskHoldsItUpAndIsNamed) {
  Start(5, 5);
  const std::size_t full = Follower();
  const std::vector<flock::Key> before = cluster_->key_file(full);
  const std::uint32_t from = operator_->CurrentKey();
  cluster_->SetKeyFileFull(full, true);
  const std::size_t leader = *cluster_->Leader();
  ASSERT_EQ(operator_->Ask(leader, {KeyStep::kInstall, from, false, 0}).result, KeyResult::kDone);
  cluster_->RunFor(5s);
  for (int i = 0; i < 3; ++i) {
    const KeyReport refused = operator_->Ask(leader, {KeyStep::kUse, from, false, 0});
    EXPECT_EQ(refused.result, KeyResult::kNotAcknowledged);
    EXPECT_EQ(refused.missing, std::vector<std::uint32_t>{SlotOf(full)});
    EXPECT_EQ(cluster_->flock(leader).secondary_key_id(), from);
  }
  // By force: the node goes on as one that is a rotation behind, and gets in by its own old file.
  ASSERT_EQ(operator_->Ask(leader, {KeyStep::kUse, from, true, 0}).result, KeyResult::kDone);
  cluster_->RunFor(3s);
  EXPECT_EQ(cluster_->key_file(full), before);
  cluster_->Crash(full);
  cluster_->Boot(full);
  EXPECT_TRUE(AwaitOneBloc(Duration(5s)));
  cluster_->SetKeyFileFull(full, false);
  EXPECT_TRUE(operator_->Do(KeyStep::kRemove, from));
  EXPECT_TRUE(operator_->OneRing());
}

TEST_F(RotationTest, APowerFailureInAnyPhaseLeavesABlocThatComesBackAndGoesOn) {
  for (const KeyStep failed_in : kSteps) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      Start(5, seed);
      const std::uint32_t from = operator_->CurrentKey();
      for (const KeyStep step : kSteps) {
        if (step == failed_in) {
          operator_->Ask(*cluster_->Leader(), {step, from, false, 0});
          cluster_->RunFor(cluster_->random().Between(0ms, 15ms));
          for (std::size_t i = 0; i < 5; ++i) cluster_->Crash(i);
          cluster_->RunFor(60s);
          for (std::size_t i = 0; i < 5; ++i) cluster_->Boot(i);
          ASSERT_TRUE(AwaitOneBloc(kLimit)) << static_cast<int>(failed_in) << " " << seed;
        }
        ASSERT_TRUE(operator_->Do(step, from)) << static_cast<int>(failed_in) << " " << seed;
      }
      EXPECT_TRUE(AwaitOneRing(Duration(5s)));
      TearDown();
    }
  }
}

// Orders of all phases at any time, also by force, from any node, among all faults there are. As
// long as it is one rotation, whoever was away must find back.
TEST_F(RotationTest, OneRotationAmongRandomFaultsStrandsNobody) {
  int rotated = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Start(5, seed, 0.05);
    const std::uint32_t from = operator_->CurrentKey();
    Faults faults(*cluster_);
    Random& random = cluster_->random();
    for (int i = 0; i < 60; ++i) {
      faults.Run(random.Between(100ms, 800ms));
      const std::size_t node = random.Below(cluster_->size());
      if (!cluster_->up(node)) continue;
      cluster_->OrderKeys(node, {kSteps[random.Below(3)], from, random.Chance(0.5), 0});
    }
    faults.Stop();
    EXPECT_TRUE(AwaitOneBloc(Duration(10s))) << seed;
    EXPECT_TRUE(AwaitOneRing(Duration(10s))) << seed;
    if (operator_->CurrentKey() != from) ++rotated;
    EXPECT_TRUE(operator_->Do(KeyStep::kInstall, from)) << seed;
    EXPECT_TRUE(operator_->Do(KeyStep::kUse, from)) << seed;
    EXPECT_TRUE(operator_->Do(KeyStep::kRemove, from)) << seed;
    EXPECT_TRUE(operator_->OneRing()) << seed;
    TearDown();
  }
  EXPECT_GT(rotated, 15) << "otherwise little was tried";
}

}  // namespace
}  // namespace radix::sim
