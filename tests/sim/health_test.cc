#include "tests/sim/health.h"

#include <gtest/gtest.h>

namespace radix::sim {
namespace {

constexpr Instant kCrash{100s};
constexpr flock::MemberId kDead{3, 7};

class HealthTest : public testing::Test {
 protected:
  HealthTest() { health_.Crashed(kDead, kCrash); }
  Health health_{4};
};

TEST_F(HealthTest, WhoIsFoundDeadCountsUntilItIsOffTheLastListAlsoWhereAnotherBootReplacedIt) {
  health_.Removed(0, kDead, nullptr, kCrash + 2s);
  health_.Unlisted(1, kDead, kCrash + 5s);
  EXPECT_EQ(health_.RemovalTimes(), std::vector<Duration>{5s});
  health_.Unlisted(0, kDead, kCrash + 6s);
  EXPECT_EQ(health_.RemovalTimes(), std::vector<Duration>{5s}) << "it was not there any more";
  health_.Listed(0, kDead);
  health_.Unlisted(0, kDead, kCrash + 7s);
  EXPECT_EQ(health_.RemovalTimes(), std::vector<Duration>{7s});
}

TEST_F(HealthTest, WhenWhoSleptFindsItOutDoesNotCount) {
  health_.SetSick(1, true, kCrash);
  health_.Removed(0, kDead, nullptr, kCrash + 2s);
  health_.Removed(1, kDead, nullptr, kCrash + 60s);
  health_.Unlisted(1, kDead, kCrash + 70s);
  EXPECT_EQ(health_.RemovalTimes(), std::vector<Duration>{2s});
}

TEST_F(HealthTest, WhomNobodyFoundDeadIsLeftOut) {
  health_.Unlisted(1, kDead, kCrash + 5s);
  EXPECT_TRUE(health_.RemovalTimes().empty());
}

}  // namespace
}  // namespace radix::sim
