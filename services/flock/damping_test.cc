#include "services/flock/damping.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace radix::flock {
namespace {

constexpr std::uint32_t kSlot = 7;

// How long it is in peace from `now` on.
Duration PeaceFrom(const Damping& damping, Instant now) {
  Duration peace{};
  while (damping.IsInPeace(kSlot, now + peace)) peace += 100ms;
  return peace;
}

TEST(DampingTest, LeavesWhoRefutesInPeaceTwiceAsLongEachTime) {
  Damping damping;
  Instant now{10s};
  EXPECT_FALSE(damping.IsInPeace(kSlot, now));
  for (const Duration peace : std::initializer_list<Duration>{1500ms, 3s, 6s, 8s, 8s}) {
    damping.Refuted(kSlot, now);
    EXPECT_EQ(PeaceFrom(damping, now), peace);
    EXPECT_FALSE(damping.IsInPeace(kSlot + 1, now));
    now += peace + 300ms;
  }
}

TEST(DampingTest, DoesNotHoldAgainstAMemberWhatOthersBroughtAbout) {
  Damping damping;
  const Instant now{10s};
  for (int i = 0; i < 9; ++i) damping.Refuted(kSlot, now + i * 100ms);
  EXPECT_EQ(PeaceFrom(damping, now + 800ms), Damping::kShortest);
}

TEST(DampingTest, ForgetsWhoHasBeenWell) {
  Damping damping;
  Instant now{10s};
  damping.Refuted(kSlot, now);
  damping.Refuted(kSlot, now += 2s);
  now += Damping::kForgotten + 3s;
  damping.Refuted(kSlot, now);
  EXPECT_EQ(PeaceFrom(damping, now), Damping::kShortest);
}

TEST(DampingTest, IsBounded) {
  Damping damping;
  const Instant now{10s};
  for (std::uint32_t slot = 0; slot < 100000; ++slot) damping.Refuted(slot, now);
  EXPECT_LT(damping.memory_bytes(), 16384U);
  // They make room for others.
  damping.Refuted(100000, now + Damping::kForgotten + 2s);
  EXPECT_TRUE(damping.IsInPeace(100000, now + Damping::kForgotten + 2s));
}

}  // namespace
}  // namespace radix::flock
