#include "services/flock/suspicion.h"

#include <gtest/gtest.h>

#include <vector>

#include "services/confab/random.h"

namespace radix::flock {
namespace {

constexpr MemberId kSuspect{9, 99};
constexpr std::uint32_t kMany = 100;

class SuspicionsTest : public testing::Test {
 protected:
  Tunables tunables_;
  Suspicions suspicions_{tunables_};
  Instant now_{100s};
};

TEST_F(SuspicionsTest, EachOfThreeAccusersShortensTheTimeLeft) {
  Instant last = now_ + tunables_.suspicion_longest + 1ns;
  for (std::uint32_t accuser = 1; accuser <= 3; ++accuser) {
    EXPECT_TRUE(suspicions_.Accuse(kSuspect, 1, accuser, kMany, now_));
    EXPECT_FALSE(suspicions_.Accuse(kSuspect, 1, accuser, kMany, now_));  // nothing new
    EXPECT_LT(suspicions_.Find(9)->deadline, last);
    last = suspicions_.Find(9)->deadline;
  }
  EXPECT_EQ(last, now_ + tunables_.suspicion_shortest);
  EXPECT_FALSE(suspicions_.Accuse(kSuspect, 1, 4, kMany, now_));
  EXPECT_TRUE(suspicions_.TakeExpired(last - 1ns).empty());
  const std::vector<Suspicion> expired = suspicions_.TakeExpired(last);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].accuser_count, 3);
  EXPECT_EQ(suspicions_.Find(9), nullptr);
}

TEST_F(SuspicionsTest, WhereFewerCouldAccuseFewerAreEnough) {
  suspicions_.Accuse(kSuspect, 1, 1, 1, now_);
  EXPECT_EQ(suspicions_.Find(9)->deadline, now_ + tunables_.suspicion_shortest);
  suspicions_.Accuse({8, 88}, 1, 1, 2, now_);
  EXPECT_EQ(suspicions_.Find(8)->deadline, now_ + tunables_.suspicion_longest);
  suspicions_.Accuse({8, 88}, 1, 2, 2, now_);
  EXPECT_EQ(suspicions_.Find(8)->deadline, now_ + tunables_.suspicion_shortest);
}

TEST_F(SuspicionsTest, OfManyEachIsFoundAndTakenWhenItsOwnTimeIsUp) {
  Random random(5);
  std::vector<std::uint32_t> slots(300);
  for (std::uint32_t i = 0; i < slots.size(); ++i) slots[i] = i;
  random.Shuffle(slots);
  for (const std::uint32_t slot : slots) {
    suspicions_.Accuse({slot, slot + 1000}, 1, 5000, 1, now_ + (slot % 7) * 1s);
  }
  for (std::uint32_t slot = 0; slot < 300; slot += 3) suspicions_.Clear(slot);
  suspicions_.Clear(1000);
  EXPECT_EQ(suspicions_.Find(3), nullptr);
  EXPECT_EQ(suspicions_.Find(1000), nullptr);
  std::size_t taken = 0;
  while (suspicions_.next() != Instant::max()) {
    const Instant now = suspicions_.next();
    std::uint32_t last = 0;
    for (const Suspicion& suspicion : suspicions_.TakeExpired(now)) {
      EXPECT_EQ(suspicion.id.boot, suspicion.id.slot + 1000);
      EXPECT_NE(suspicion.id.slot % 3, 0U);
      EXPECT_EQ(suspicion.deadline, now);
      EXPECT_GT(suspicion.id.slot, last);
      last = suspicion.id.slot;
      ++taken;
    }
  }
  EXPECT_EQ(taken, 200U);
  EXPECT_EQ(suspicions_.size(), 0U);
}

TEST_F(SuspicionsTest, ARefutedIncarnationIsNotAccusedAgain) {
  suspicions_.Accuse(kSuspect, 2, 1, kMany, now_);
  EXPECT_FALSE(suspicions_.Accuse(kSuspect, 1, 2, kMany, now_));
  EXPECT_TRUE(suspicions_.Accuse(kSuspect, 3, 1, kMany, now_ + 1s));
  EXPECT_EQ(suspicions_.Find(9)->accuser_count, 1);
  EXPECT_EQ(suspicions_.Find(9)->since, now_ + 1s);
}

TEST_F(SuspicionsTest, AfterAnAbsenceOfItsOwnANodeGivesEverybodyAllTheTimeAgain) {
  suspicions_.Accuse(kSuspect, 1, 1, kMany, now_);
  suspicions_.Restart(now_ + 10s);
  EXPECT_EQ(suspicions_.Find(9)->deadline, now_ + 10s + tunables_.suspicion_longest);
}

}  // namespace
}  // namespace radix::flock
