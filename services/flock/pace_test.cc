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

}  // namespace
}  // namespace radix::flock
