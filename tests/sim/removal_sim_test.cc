// How soon those that crash are off every list, where something holds that up.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "tests/sim/cluster.h"

namespace radix::sim {
namespace {

constexpr Duration kLimit = 30s;

class RemovalTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  explicit RemovalTest(std::size_t nodes = 100) : cluster_(Options(nodes)) {
    for (std::size_t i = 0; i < nodes; ++i) cluster_.Boot(i);
    EXPECT_TRUE(
        cluster_.RunUntilTrue([&] { return cluster_.OneView() && cluster_.OneLeader(); }, kLimit));
    cluster_.RunFor(2s);
  }

  static ClusterOptions Options(std::size_t nodes) {
    ClusterOptions options;
    options.nodes = nodes;
    options.seed = GetParam();
    options.network.loss = 0.01;
    return options;
  }
  // How long it takes until the lists are those that are up.
  Duration UntilOneView() {
    const Instant begin = cluster_.now();
    EXPECT_TRUE(cluster_.RunUntilTrue([&] { return cluster_.OneView(); }, kLimit));
    return cluster_.now() - begin;
  }

  Cluster cluster_;
};

// Everybody heard it just now, so nobody would probe it soon by chance.
TEST_P(RemovalTest, WhoLedIsMissedAsSoonAsAnybodyElse) {
  cluster_.Crash(*cluster_.Leader());
  EXPECT_LE(UntilOneView(), 3600ms);
}

// Some list the first boot, the others the second; neither group accuses whom the other lists.
TEST_P(RemovalTest, WhoBootsAgainAndDiesAtOnceIsRemovedUnderEitherBoot) {
  const std::size_t node = (*cluster_.Leader() + 1) % cluster_.size();
  cluster_.Crash(node);
  cluster_.Boot(node);
  cluster_.RunFor(100ms);
  cluster_.Crash(node);
  EXPECT_LE(UntilOneView(), 5s);
}

// Each would learn of the dead from the one before it, which only suspects it yet.
TEST_P(RemovalTest, ThoseThatBootOneAfterAnotherDoNotKeepTheDeadOnTheLists) {
  const std::size_t leader = *cluster_.Leader();
  const std::size_t dead = (leader + 1) % cluster_.size();
  for (std::size_t i = 2; i < 22; ++i) cluster_.Leave((leader + i) % cluster_.size());
  ASSERT_LE(UntilOneView(), 5s);
  const flock::MemberId id = cluster_.flock(dead).self();
  const Instant crash = cluster_.now();
  Instant last_listed = crash;
  cluster_.on_event = [&](std::size_t, const flock::Event& event) {
    if (event.subject == id && event.kind == flock::EventKind::kDied) last_listed = cluster_.now();
  };
  cluster_.Crash(dead);
  for (std::size_t i = 2; i < 22; ++i) {
    cluster_.RunFor(400ms);
    cluster_.Boot((leader + i) % cluster_.size());
  }
  UntilOneView();
  EXPECT_LE(last_listed - crash, 5s);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RemovalTest, testing::Range<std::uint64_t>(1, 7));

}  // namespace
}  // namespace radix::sim
