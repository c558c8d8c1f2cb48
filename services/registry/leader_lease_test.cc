#include "services/registry/leader_lease.h"

#include <gtest/gtest.h>

namespace radix::registry {
namespace {

const Instant kStart = Instant(1h);

TEST(LeaderLeaseTest, HoldsFromConfirmationUntilItRunsOutAndNeverAgain) {
  LeaderLease lease(7, kStart);
  EXPECT_FALSE(lease.Held(kStart));
  EXPECT_FALSE(lease.Over(kStart));
  EXPECT_FALSE(lease.Confirmed());
  lease.HandleGroup({.epoch = 7, .lease_remaining = 2s}, kStart + 1s);
  EXPECT_TRUE(lease.Held(kStart + 3s - 1ns));
  EXPECT_FALSE(lease.Held(kStart + 3s));
  EXPECT_TRUE(lease.Over(kStart + 3s));
  EXPECT_TRUE(lease.Confirmed());
  lease.HandleGroup({.epoch = 7, .lease_remaining = 2s}, kStart + 3s);
  EXPECT_FALSE(lease.Held(kStart + 3s));
}

TEST(LeaderLeaseTest, EndsWithANewEpochALostLeaseOrWithoutConfirmation) {
  LeaderLease newer(7, kStart);
  newer.HandleGroup({.epoch = 8, .lease_remaining = 2s}, kStart);
  EXPECT_TRUE(newer.Over(kStart));
  LeaderLease lost(7, kStart);
  lost.HandleGroup({.epoch = 7, .lease_remaining = 2s}, kStart);
  lost.HandleGroup({.epoch = 7}, kStart);
  EXPECT_TRUE(lost.Over(kStart));
  LeaderLease early(7, kStart);
  early.HandleGroup({.epoch = 6}, kStart);
  EXPECT_FALSE(early.Over(kStart + 5s - 1ns));
  EXPECT_TRUE(early.Over(kStart + 5s));
}

}  // namespace
}  // namespace radix::registry
