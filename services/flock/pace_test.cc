#include "services/flock/pace.h"

#include <gtest/gtest.h>

namespace radix::flock {
namespace {

TEST(PaceTest, LetsABurstThroughAndThenOneInEachInterval) {
  Pace pace(100ms, 4);
  Instant now{10s};
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pace.Take(now)) << i;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(pace.Take(now)) << i;
  now += 99ms;
  EXPECT_FALSE(pace.Take(now));
  now += 1ms;
  EXPECT_TRUE(pace.Take(now));
  EXPECT_FALSE(pace.Take(now));
  now += 10s;  // no silence saves up more than a burst
  int taken = 0;
  while (pace.Take(now)) ++taken;
  EXPECT_EQ(taken, 4);
}

TEST(MemberPacesTest, HoldsOneBackAndNotAnother) {
  MemberPaces paces(50ms, 3);
  const Instant now(1h);
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += paces.Take(7, now) ? 1 : 0;
  EXPECT_EQ(taken, 3);
  EXPECT_TRUE(paces.Take(8, now));
  EXPECT_FALSE(paces.Take(7 + MemberPaces::kPlaces, now)) << "in the same place";
  EXPECT_TRUE(paces.Take(7, now + 50ms));
  EXPECT_FALSE(paces.Take(7, now + 50ms));
}

}  // namespace
}  // namespace radix::flock
