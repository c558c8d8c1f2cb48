#include "services/flock/suspicion.h"

#include <gtest/gtest.h>

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
  EXPECT_FALSE(suspicions_.Expired(last - 1ns).has_value());
  EXPECT_EQ(suspicions_.Expired(last)->accuser_count, 3);
}

TEST_F(SuspicionsTest, WhereFewerCouldAccuseFewerAreEnough) {
  suspicions_.Accuse(kSuspect, 1, 1, 1, now_);
  EXPECT_EQ(suspicions_.Find(9)->deadline, now_ + tunables_.suspicion_shortest);
  suspicions_.Accuse({8, 88}, 1, 1, 2, now_);
  EXPECT_EQ(suspicions_.Find(8)->deadline, now_ + tunables_.suspicion_longest);
  suspicions_.Accuse({8, 88}, 1, 2, 2, now_);
  EXPECT_EQ(suspicions_.Find(8)->deadline, now_ + tunables_.suspicion_shortest);
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
