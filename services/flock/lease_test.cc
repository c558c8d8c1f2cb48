#include "services/flock/lease.h"

#include <gtest/gtest.h>

namespace radix::flock {
namespace {

constexpr MemberId kAnn{1, 11};
constexpr MemberId kBob{2, 22};
constexpr std::uint64_t kCharter = 5;

class LeaseGranterTest : public testing::Test {
 protected:
  static LeaseAsk Ask(std::uint64_t epoch, std::uint32_t sequence, std::uint64_t echo = 0) {
    LeaseAsk ask;
    ask.epoch = epoch;
    ask.sequence = sequence;
    ask.echo = echo;
    ask.charter_digest = kCharter;
    return ask;
  }
  static LeaseGranter Booted(bool disk = false, Promise recorded = {}) {
    return LeaseGranter(Tunables{}, kCharter, disk, recorded, Instant(0s));
  }

  Tunables tunables_;
  Instant now_{10s};  // past the wait after booting
};

TEST_F(LeaseGranterTest, GrantsNothingForOneLengthenedLeaseAfterBooting) {
  LeaseGranter granter = Booted();
  const Instant end = Instant(0s) + LengthenedLease(tunables_);
  const LeaseAnswer early = granter.HandleAsk(kAnn, Ask(1, 1), true, end - 1ms);
  ASSERT_TRUE(early.refusal.has_value());
  EXPECT_EQ(early.refusal->reason, RefusalReason::kBooting);
  EXPECT_EQ(early.refusal->retry_after_usec, 1000U);
  EXPECT_TRUE(granter.HandleAsk(kAnn, Ask(1, 2), true, end).grant.has_value());
}

TEST_F(LeaseGranterTest, GrantsOneAtATime) {
  LeaseGranter granter = Booted();
  ASSERT_TRUE(granter.HandleAsk(kAnn, Ask(1, 1), true, now_).grant.has_value());
  const Instant end = now_ + LengthenedLease(tunables_);
  const LeaseAnswer refused = granter.HandleAsk(kBob, Ask(9, 1), true, end - 1us);
  ASSERT_TRUE(refused.refusal.has_value());
  EXPECT_EQ(refused.refusal->reason, RefusalReason::kPromised);
  EXPECT_FALSE(granter.grant(end).has_value());
  EXPECT_TRUE(granter.HandleAsk(kBob, Ask(9, 2), true, end).grant.has_value());
}

TEST_F(LeaseGranterTest, GrantsNoEpochThatNoBlocComesTo) {
  LeaseGranter granter = Booted();
  EXPECT_EQ(granter.HandleAsk(kAnn, Ask(kEpochFirstMax + 1, 1), true, now_).refusal->reason,
            RefusalReason::kEpoch);
  ASSERT_TRUE(granter.HandleAsk(kAnn, Ask(7, 2), true, now_).grant.has_value());
  now_ += 4s;
  EXPECT_EQ(granter.HandleAsk(kBob, Ask(8 + kEpochJumpMax, 1), true, now_).refusal->reason,
            RefusalReason::kEpoch);
  EXPECT_EQ(granter.promise().epoch, 7U);
  granter.set_epoch_jump(kEpochLongJumpMax);
  EXPECT_TRUE(granter.HandleAsk(kBob, Ask(8 + kEpochJumpMax, 2), true, now_).grant.has_value());
  // Nor do the numbers wrap around.
  LeaseGranter old = Booted(false, {kEpochMax, kBob});
  EXPECT_EQ(old.epoch_max(), kEpochMax);
}

TEST_F(LeaseGranterTest, GrantsAnEpochOnlyToItsHolderAndNoneBelow) {
  LeaseGranter granter = Booted();
  ASSERT_TRUE(granter.HandleAsk(kAnn, Ask(4, 1), true, now_).grant.has_value());
  now_ += 4s;
  EXPECT_EQ(granter.HandleAsk(kBob, Ask(4, 1), true, now_).refusal->reason, RefusalReason::kEpoch);
  EXPECT_EQ(granter.HandleAsk(kAnn, Ask(3, 2), true, now_).refusal->reason, RefusalReason::kEpoch);
  // Another boot of Ann's machine is another holder.
  EXPECT_EQ(granter.HandleAsk({1, 12}, Ask(4, 1), true, now_).refusal->reason,
            RefusalReason::kEpoch);
  EXPECT_TRUE(granter.HandleAsk(kAnn, Ask(4, 3), true, now_).grant.has_value());
}

TEST_F(LeaseGranterTest, AnEpochThatItRefusedBarsNothing) {
  LeaseGranter granter = Booted();
  ASSERT_TRUE(granter.HandleAsk(kAnn, Ask(1, 1), true, now_).grant.has_value());
  EXPECT_TRUE(granter.HandleAsk(kBob, Ask(50, 1), true, now_).refusal.has_value());
  EXPECT_EQ(granter.promise().epoch, 1U);
}

TEST_F(LeaseGranterTest, WithholdsWhatWaitsForTheDiskAndNothingThatItGranted) {
  LeaseGranter granter = Booted(true);
  ASSERT_FALSE(granter.HandleAsk(kAnn, Ask(1, 1), true, now_).grant.has_value());
  granter.Withhold(kAnn);
  EXPECT_FALSE(granter.HandlePersisted({1, kAnn}, now_).has_value());
  EXPECT_FALSE(granter.grant(now_).has_value());
  ASSERT_FALSE(granter.HandleAsk(kBob, Ask(2, 1), true, now_).grant.has_value());
  ASSERT_TRUE(granter.HandlePersisted({2, kBob}, now_).has_value());
  granter.Withhold(kBob);
  EXPECT_TRUE(granter.grant(now_).has_value()) << "it may count on it";
  EXPECT_EQ(granter.HandleAsk(kAnn, Ask(3, 2), true, now_).refusal->reason,
            RefusalReason::kPromised);
}

TEST_F(LeaseGranterTest, RenewsOnlyForAHolderThatHeardTheLastAnswer) {
  LeaseGranter granter = Booted();
  const LeaseGrant first = *granter.HandleAsk(kAnn, Ask(1, 1), true, now_).grant;
  const Instant end = granter.grant(now_)->until;
  // Ann did not hear it: she gets it again, from the same request, and nothing is extended.
  const LeaseGrant again = *granter.HandleAsk(kAnn, Ask(1, 2, 0), true, now_ + 1s).grant;
  EXPECT_EQ(again.sequence, 1U);
  EXPECT_EQ(again.answer, first.answer);
  EXPECT_EQ(granter.grant(now_ + 1s)->until, end);
  const LeaseGrant renewed =
      *granter.HandleAsk(kAnn, Ask(1, 3, first.answer), true, now_ + 1s).grant;
  EXPECT_EQ(renewed.sequence, 3U);
  EXPECT_EQ(granter.grant(now_ + 1s)->until, now_ + 1s + LengthenedLease(tunables_));
  // The same request once more is a repetition, not a renewal.
  EXPECT_EQ(granter.HandleAsk(kAnn, Ask(1, 3, renewed.answer), true, now_ + 2s).grant->answer,
            renewed.answer);
  EXPECT_EQ(granter.grant(now_ + 2s)->until, now_ + 1s + LengthenedLease(tunables_));
}

TEST_F(LeaseGranterTest, RecordsBeforeItAnswers) {
  LeaseGranter granter = Booted(true);
  const LeaseAnswer waiting = granter.HandleAsk(kAnn, Ask(1, 1), true, now_);
  EXPECT_FALSE(waiting.grant || waiting.refusal);
  EXPECT_FALSE(granter.grant(now_).has_value());
  EXPECT_EQ(granter.HandleAsk(kBob, Ask(7, 1), true, now_).refusal->reason,
            RefusalReason::kRecording);
  const auto promise = granter.PollPersist();
  ASSERT_TRUE(promise.has_value());
  EXPECT_EQ(*promise, (Promise{1, kAnn}));
  EXPECT_FALSE(granter.PollPersist().has_value());
  const auto released = granter.HandlePersisted(*promise, now_ + 5ms);
  ASSERT_TRUE(released.has_value());
  EXPECT_EQ(released->to, kAnn);
  EXPECT_EQ(granter.grant(now_ + 5ms)->until, now_ + 5ms + LengthenedLease(tunables_));
  // A renewal promises nothing new.
  EXPECT_TRUE(granter.HandleAsk(kAnn, Ask(1, 2, released->grant.answer), true, now_ + 1s)
                  .grant.has_value());
  EXPECT_FALSE(granter.PollPersist().has_value());
}

TEST_F(LeaseGranterTest, ADiskThatRefusesHoldsUpNobody) {
  LeaseGranter granter = Booted(true);
  granter.HandleAsk(kAnn, Ask(3, 1), true, now_);
  const auto promise = granter.PollPersist();
  ASSERT_TRUE(promise.has_value());
  const auto released = granter.HandleNotPersisted(*promise, false, now_);
  ASSERT_TRUE(released.has_value());
  EXPECT_EQ(released->to, kAnn);
  EXPECT_TRUE(granter.grant(now_).has_value());
  // It keeps what it promised as long as it runs.
  EXPECT_TRUE(granter.HandleAsk(kBob, Ask(3, 1), true, now_ + 1h).refusal.has_value());
  // That the disk took it in the end releases nothing twice; the next promise is recorded again.
  EXPECT_FALSE(granter.HandlePersisted(*promise, now_ + 1s).has_value());
  EXPECT_FALSE(granter.HandleAsk(kBob, Ask(4, 1), true, now_ + 1h).grant.has_value());
  EXPECT_TRUE(granter.PollPersist().has_value());
}

TEST_F(LeaseGranterTest, AnOwnPromiseThatTheDiskRefusesIsNotGrantedAndHoldsUpNobody) {
  LeaseGranter granter = Booted(true);
  granter.HandleAsk(kAnn, Ask(3, 1), true, now_);
  const auto own = granter.PollPersist();
  ASSERT_TRUE(own.has_value());
  EXPECT_FALSE(granter.HandleNotPersisted(*own, true, now_).has_value());
  EXPECT_FALSE(granter.HandleAsk(kAnn, Ask(3, 2), true, now_).grant.has_value());
  EXPECT_FALSE(granter.grant(now_).has_value());
  // Another may have it, under a greater epoch.
  EXPECT_EQ(granter.HandleAsk(kBob, Ask(3, 1), true, now_).refusal->reason, RefusalReason::kEpoch);
  EXPECT_FALSE(granter.HandleAsk(kBob, Ask(4, 1), true, now_).refusal.has_value());
  const auto others = granter.PollPersist();
  ASSERT_TRUE(others.has_value());
  EXPECT_TRUE(granter.HandleNotPersisted(*others, false, now_).has_value());
}

TEST_F(LeaseGranterTest, KeepsThePromiseThatTheDiskRemembers) {
  LeaseGranter granter = Booted(true, Promise{6, kBob});
  EXPECT_EQ(granter.HandleAsk(kAnn, Ask(6, 1), true, now_).refusal->promised_epoch, 6U);
  EXPECT_FALSE(granter.HandleAsk(kAnn, Ask(7, 1), true, now_).refusal.has_value());
}

TEST_F(LeaseGranterTest, AGiveBackEndsTheGrantButNotThePromise) {
  LeaseGranter granter = Booted();
  ASSERT_TRUE(granter.HandleAsk(kAnn, Ask(3, 1), true, now_).grant.has_value());
  granter.HandleGiveBack(kBob, 3);  // not his to give
  EXPECT_TRUE(granter.grant(now_).has_value());
  granter.HandleGiveBack(kAnn, 3);
  EXPECT_FALSE(granter.grant(now_).has_value());
  EXPECT_TRUE(granter.HandleAsk(kBob, Ask(3, 1), true, now_).refusal.has_value());
  EXPECT_TRUE(granter.HandleAsk(kBob, Ask(4, 1), true, now_).grant.has_value());
}

TEST_F(LeaseGranterTest, AGiveBackWhileTheDiskIsBusyGrantsNothingLater) {
  LeaseGranter granter = Booted(true);
  granter.HandleAsk(kAnn, Ask(3, 1), true, now_);
  const auto promise = granter.PollPersist();
  granter.HandleGiveBack(kAnn, 3);
  EXPECT_FALSE(granter.HandlePersisted(*promise, now_).has_value());
  EXPECT_FALSE(granter.grant(now_).has_value());
}

TEST_F(LeaseGranterTest, RefusesWhoDoesNotRankFirstOrHasAnotherCharter) {
  LeaseGranter granter = Booted();
  EXPECT_EQ(granter.HandleAsk(kAnn, Ask(1, 1), false, now_).refusal->reason, RefusalReason::kRank);
  LeaseAsk foreign = Ask(1, 1);
  foreign.charter_digest = 6;
  EXPECT_EQ(granter.HandleAsk(kAnn, foreign, true, now_).refusal->reason, RefusalReason::kCharter);
}

TEST_F(LeaseGranterTest, TheHolderCountsLessThanTheGranterEvenWithClocksOnePercentOff) {
  const double holder = static_cast<double>(ShortenedLease(tunables_).count()) / 0.99;
  const double granter = static_cast<double>(LengthenedLease(tunables_).count()) / 1.01;
  EXPECT_LT(holder, granter);
}

}  // namespace
}  // namespace radix::flock
