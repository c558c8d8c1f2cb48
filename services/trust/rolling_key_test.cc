#include "services/trust/rolling_key.h"

#include <gtest/gtest.h>

namespace radix::trust {
namespace {

using Step = RollingKey::Step;

constexpr Instant kStart(1000s);

TEST(RollingKeyTest, RollsTwiceADayAndNotAllAtOnce) {
  RollingKey one(kStart, 1);
  RollingKey other(kStart, 2);
  EXPECT_NE(one.next_time(), other.next_time());
  EXPECT_GE(one.next_time(), kStart + 9h);
  EXPECT_LE(one.next_time(), kStart + 12h);
  EXPECT_EQ(one.Poll(kStart + 1h), std::nullopt);
  Instant now = one.next_time();
  EXPECT_EQ(one.Poll(now), Step::kMake);
  EXPECT_EQ(one.Poll(now), std::nullopt);
  now += RollingKey::kAnnounced;
  EXPECT_EQ(one.Poll(now), Step::kShow);
  now += RollingKey::kOverlap;
  EXPECT_EQ(one.Poll(now), Step::kForget);
  EXPECT_GE(one.next_time(), now + 9h);
}

TEST(RollingKeyTest, RollsOnDemand) {
  RollingKey key(kStart, 1);
  key.Demand(kStart + 1s);
  EXPECT_EQ(key.Poll(kStart + 1s), Step::kMake);
}

// A demand in the middle of a roll is not lost, and does not cut it short: callers would not know
// the key that is shown.
TEST(RollingKeyTest, ADemandWaitsForTheEndOfTheRollBefore) {
  RollingKey key(kStart, 1);
  key.Demand(kStart);
  ASSERT_EQ(key.Poll(kStart), Step::kMake);
  key.Demand(kStart + 1s);
  EXPECT_EQ(key.Poll(kStart + 1s), std::nullopt);
  EXPECT_EQ(key.Poll(kStart + 10s), Step::kShow);
  EXPECT_EQ(key.Poll(kStart + 20s), Step::kForget);
  EXPECT_EQ(key.Poll(kStart + 20s), Step::kMake);
  EXPECT_EQ(key.Poll(kStart + 30s), Step::kShow);
  EXPECT_EQ(key.Poll(kStart + 40s), Step::kForget);
  EXPECT_EQ(key.Poll(kStart + 40s), std::nullopt);
}

}  // namespace
}  // namespace radix::trust
