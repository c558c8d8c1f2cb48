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

TEST_F(SuspicionsTest, HearsayAloneRemovesNobodyAndIsDroppedInTheEnd) {
  for (std::uint32_t accuser = 1; accuser <= 3; ++accuser) {
    EXPECT_TRUE(suspicions_.Accuse(kSuspect, 1, accuser, now_));
    EXPECT_FALSE(suspicions_.Accuse(kSuspect, 1, accuser, now_));  // nothing new
  }
  EXPECT_FALSE(suspicions_.Accuse(kSuspect, 1, 4, now_));
  while (now_ < Instant(100s) + tunables_.suspicion_longest) {
    EXPECT_TRUE(suspicions_.TakeExpired(1, now_).empty());
    now_ += 100ms;
  }
  const std::vector<Expired> expired = suspicions_.TakeExpired(1, now_ + 300ms);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_FALSE(expired[0].confirmed);
  EXPECT_EQ(suspicions_.Find(9), nullptr);
}

TEST_F(SuspicionsTest, ThreeSignaturesAreEnoughOnceTheSuspectHadItsTimeToRefute) {
  suspicions_.Accuse(kSuspect, 1, 1, now_);
  EXPECT_TRUE(suspicions_.Sign(kSuspect, 1, 1, kMany, now_));
  EXPECT_FALSE(suspicions_.Sign(kSuspect, 1, 1, kMany, now_)) << "it did already";
  EXPECT_TRUE(suspicions_.Sign(kSuspect, 1, 2, kMany, now_));
  EXPECT_TRUE(suspicions_.TakeExpired(kMany, now_ + tunables_.suspicion_shortest).empty());
  now_ += 2s;
  EXPECT_TRUE(suspicions_.Sign(kSuspect, 1, 3, kMany, now_));
  EXPECT_FALSE(suspicions_.Lacks(kSuspect, 1, 4)) << "no more are needed";
  now_ += tunables_.suspicion_shortest / 3;
  EXPECT_TRUE(suspicions_.TakeExpired(kMany, now_ - 1ns).empty());
  const std::vector<Expired> expired = suspicions_.TakeExpired(kMany, now_);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_TRUE(expired[0].confirmed);
  EXPECT_EQ(expired[0].suspicion.signer_count, 3);
}

TEST_F(SuspicionsTest, WhatThisNodeFindsItselfLeavesTheSuspectItsTime) {
  for (std::uint32_t signer = 1; signer <= 3; ++signer) {
    suspicions_.Sign(kSuspect, 1, signer, kMany, now_);
  }
  suspicions_.AccuseItself(kSuspect, 1, now_ + 300ms, now_ + 300ms);
  EXPECT_TRUE(suspicions_.TakeExpired(kMany, now_ + tunables_.suspicion_shortest - 1ns).empty());
  EXPECT_EQ(suspicions_.TakeExpired(kMany, now_ + tunables_.suspicion_shortest).size(), 1U);
}

TEST_F(SuspicionsTest, WhereThereAreFewerAllOthersAreEnoughButThisNodeMustBeOneOfThem) {
  suspicions_.Sign(kSuspect, 1, 1, 2, now_);
  suspicions_.Sign({8, 88}, 1, 1, 2, now_);
  suspicions_.AccuseItself({8, 88}, 1, now_, now_);
  suspicions_.AccuseItself({7, 77}, 1, now_, now_);
  now_ += 3 * tunables_.suspicion_shortest;
  suspicions_.TakeExpired(2, now_);  // notes who has enough
  now_ += tunables_.suspicion_shortest;
  const std::vector<Expired> expired = suspicions_.TakeExpired(2, now_);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].suspicion.id.slot, 8U);
  EXPECT_NE(suspicions_.Find(7), nullptr) << "the other one did not accuse it";
  suspicions_.TakeExpired(1, now_ + 1s);
  EXPECT_EQ(suspicions_.TakeExpired(1, now_ + 4s).at(0).suspicion.id.slot, 7U) << "nobody is left";
}

TEST_F(SuspicionsTest, WhatThisNodeFoundItselfItSignsUntilEnoughHave) {
  suspicions_.AccuseItself(kSuspect, 1, now_ + 1s, now_);
  EXPECT_EQ(suspicions_.next_signature(), now_ + 1s);
  EXPECT_TRUE(suspicions_.TakeUnsigned(10, now_).empty());
  EXPECT_EQ(suspicions_.TakeUnsigned(10, now_ + 1s), std::vector<MemberId>{kSuspect});
  EXPECT_TRUE(suspicions_.TakeUnsigned(10, now_ + 1s).empty());
  EXPECT_EQ(suspicions_.TakeUnsigned(10, now_ + 3s).size(), 1U) << "it may have been lost";
  for (std::uint32_t signer = 1; signer <= 3; ++signer)
    suspicions_.Sign({8, 88}, 1, signer, kMany, now_);
  suspicions_.AccuseItself({8, 88}, 1, now_, now_);
  EXPECT_EQ(suspicions_.TakeUnsigned(10, now_ + 6s), std::vector<MemberId>{kSuspect})
      << "three others signed against the other one";
}

TEST_F(SuspicionsTest, OfManyEachIsFoundAndTakenWhenItsOwnTimeIsUp) {
  Random random(5);
  std::vector<std::uint32_t> slots(300);
  for (std::uint32_t i = 0; i < slots.size(); ++i) slots[i] = i;
  random.Shuffle(slots);
  for (const std::uint32_t slot : slots) {
    const Instant since = now_ + (slot % 7) * 1s;
    for (const std::uint32_t signer : {5000U, 5001U, 5002U}) {
      suspicions_.Sign({slot, slot + 1000}, 1, signer, kMany, since);
    }
  }
  for (std::uint32_t slot = 0; slot < 300; slot += 3) suspicions_.Clear(slot);
  suspicions_.Clear(1000);
  EXPECT_EQ(suspicions_.Find(3), nullptr);
  EXPECT_EQ(suspicions_.Find(1000), nullptr);
  std::size_t taken = 0;
  while (suspicions_.next() != Instant::max()) {
    const Instant now = suspicions_.next();
    std::uint32_t last = 0;
    for (const auto& [suspicion, confirmed] : suspicions_.TakeExpired(kMany, now)) {
      EXPECT_TRUE(confirmed);
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
  suspicions_.Accuse(kSuspect, 2, 1, now_);
  EXPECT_FALSE(suspicions_.Accuse(kSuspect, 1, 2, now_));
  EXPECT_FALSE(suspicions_.Sign(kSuspect, 1, 2, kMany, now_));
  EXPECT_TRUE(suspicions_.Sign(kSuspect, 2, 2, kMany, now_));
  EXPECT_TRUE(suspicions_.Accuse(kSuspect, 3, 1, now_ + 1s));
  EXPECT_EQ(suspicions_.Find(9)->accuser_count, 1);
  EXPECT_EQ(suspicions_.Find(9)->signer_count, 0);
  EXPECT_EQ(suspicions_.Find(9)->since, now_ + 1s);
}

TEST_F(SuspicionsTest, WhoRanLateGivesSoMuchMoreTimeAndDoesNotCountItsOwnFindings) {
  for (std::uint32_t signer = 1; signer <= 3; ++signer) {
    suspicions_.Sign(kSuspect, 1, signer, kMany, now_);
  }
  const MemberId other{10, 99};
  suspicions_.AccuseItself(other, 1, now_, now_);
  suspicions_.PutOff(400ms);
  const Instant deadline = now_ + tunables_.suspicion_shortest + 400ms;
  EXPECT_TRUE(suspicions_.TakeUnsigned(9, now_).empty());
  EXPECT_TRUE(suspicions_.TakeExpired(2, deadline - 1ms).empty());
  const std::vector<Expired> expired = suspicions_.TakeExpired(2, deadline);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].suspicion.id, kSuspect);
  EXPECT_TRUE(expired[0].confirmed);
}

TEST_F(SuspicionsTest, AfterAnAbsenceOfItsOwnANodeGivesEverybodyAllTheTimeAgain) {
  for (std::uint32_t signer = 1; signer <= 3; ++signer) {
    suspicions_.Sign(kSuspect, 1, signer, kMany, now_);
  }
  suspicions_.AccuseItself({8, 88}, 1, now_, now_);
  suspicions_.Restart(now_ + 10s);
  EXPECT_EQ(suspicions_.Find(9)->deadline, now_ + 10s + tunables_.suspicion_shortest);
  EXPECT_FALSE(suspicions_.Find(8)->own) << "it was not the other that was deaf";
}

}  // namespace
}  // namespace radix::flock
