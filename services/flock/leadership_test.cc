#include "services/flock/leadership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace radix::flock {
namespace {

constexpr MemberId kSelf{0, 100};

// A candidate in a bloc of as many voters as the test wants.
class CandidacyTest : public testing::Test {
 protected:
  void Start(std::uint32_t voters) {
    voters_ = voters;
    electorate_.emplace(voters, voters, 1);
    candidacy_.emplace(tunables_, voters / 2 + 1, kSelf, *electorate_);
    ASSERT_EQ(Tick(), CandidacyChange::kNone);
    ASSERT_NE(candidacy_->asking_epoch(), 0U);
  }
  CandidacyChange Tick() { return candidacy_->Tick(true, 0, now_, random_); }
  // Asks the voter in `slot`, which grants at once.
  void Grant(std::uint32_t slot) {
    const MemberId voter{slot, slot + 100};
    const auto ask = candidacy_->AskFor(voter, 1, now_);
    ASSERT_TRUE(ask.has_value()) << slot;
    LeaseGrant grant;
    grant.epoch = ask->epoch;
    grant.sequence = ask->sequence;
    grant.answer = ++answers_;
    candidacy_->HandleGrant(voter, grant, now_);
  }
  // The end that the leases of a quorum give, looked at from outside.
  bool Seals() {
    return Tick() == CandidacyChange::kSealed && candidacy_->sealed_until(now_).has_value();
  }

  Tunables tunables_;
  Random random_{1};
  Instant now_{100s};
  std::uint32_t voters_ = 0;
  std::uint64_t answers_ = 0;
  std::optional<Electorate> electorate_;
  std::optional<Candidacy> candidacy_;
};

TEST_F(CandidacyTest, IsSealedWithTheGrantThatCompletesAQuorumAndNotBefore) {
  for (const std::uint32_t voters : {5U, 1000U}) {
    Start(voters);
    for (std::uint32_t slot = 0; slot < voters / 2; ++slot) Grant(slot);
    now_ += 100ms;
    EXPECT_FALSE(Seals()) << voters;
    Grant(voters / 2);
    // In a large bloc leases are counted some milliseconds apart.
    if (voters > 256) now_ += 10ms;
    EXPECT_TRUE(Seals()) << voters;
    EXPECT_EQ(candidacy_->lease_count(now_), voters / 2 + 1);
  }
}

// A leader of 10,000 could take no more answers than the renewals alone brought, so that those
// whose answers were lost were asked too late, and it took 20 s until all followed it.
TEST_F(CandidacyTest, RenewsTenThousandLeasesNoSoonerThanItCanTakeTheAnswers) {
  for (const auto& [voters, interval] : {std::pair(1000U, 1000ms), std::pair(10000U, 1200ms)}) {
    Start(voters);
    for (int round = 0; round < 2; ++round) {  // the second one says that it is sealed
      for (std::uint32_t slot = 0; slot < voters; ++slot) Grant(slot);
      now_ += 10ms;
      Tick();
    }
    const Instant granted = now_ - 10ms;
    now_ = granted + interval - 1ms;
    EXPECT_FALSE(candidacy_->AskFor({5, 105}, 1, now_)) << voters;
    now_ = granted + interval;
    EXPECT_TRUE(candidacy_->AskFor({5, 105}, 1, now_)) << voters;
  }
}

TEST_F(CandidacyTest, WhoIsDismissedCountsNoMoreAtOnce) {
  Start(5);
  for (std::uint32_t slot = 0; slot < 4; ++slot) Grant(slot);
  ASSERT_TRUE(Seals());
  candidacy_->Dismiss(3, now_);
  EXPECT_EQ(Tick(), CandidacyChange::kNone) << "three of five are left";
  EXPECT_EQ(candidacy_->lease_count(now_), 3U);
  candidacy_->Dismiss(2, now_);
  EXPECT_FALSE(candidacy_->sealed_until(now_));
  EXPECT_EQ(Tick(), CandidacyChange::kUnsealed);
}

// It had moved to another epoch, as it does who was told of a greater one: of the leases that it
// was sealed by nobody knows any more whose they were.
TEST_F(CandidacyTest, WhatIsSealedByLeasesOfAnEarlierEpochEndsWhenSomebodyIsDismissed) {
  Start(5);
  for (std::uint32_t slot = 0; slot < 4; ++slot) Grant(slot);
  ASSERT_TRUE(Seals());
  now_ += 1s;
  const MemberId voter{4, 104};
  const auto ask = candidacy_->AskFor(voter, 1, now_);
  ASSERT_TRUE(ask);
  candidacy_->HandleRefusal(voter, {ask->sequence, RefusalReason::kEpoch, ask->epoch + 5, 0, {}},
                            now_);
  ASSERT_NE(candidacy_->asking_epoch(), candidacy_->sealed_epoch());
  ASSERT_TRUE(candidacy_->sealed_until(now_));
  candidacy_->Dismiss(3, now_);
  EXPECT_FALSE(candidacy_->sealed_until(now_));
}

TEST_F(CandidacyTest, InALargeBlocItsEndIsNeverLaterThanTheLeasesOfAQuorumAllow) {
  Start(1000);
  const Instant begin = now_;
  for (std::uint32_t slot = 0; slot < 501; ++slot) Grant(slot);
  now_ += 10ms;
  ASSERT_TRUE(Seals());
  EXPECT_EQ(candidacy_->sealed_until(now_), begin + ShortenedLease(tunables_));
  // Half renew: not a quorum, so the end stands, however often it is looked at.
  now_ += 1100ms;
  for (std::uint32_t slot = 0; slot < 500; ++slot) Grant(slot);
  for (int i = 0; i < 10; ++i) {
    now_ += 10ms;
    Tick();
    EXPECT_EQ(candidacy_->sealed_until(now_), begin + ShortenedLease(tunables_));
  }
}

TEST_F(CandidacyTest, InALargeBlocARenewalInTheLastMomentIsCountedBeforeTheLeaseIsGivenUp) {
  Start(1000);
  for (std::uint32_t slot = 0; slot < 501; ++slot) Grant(slot);
  now_ += 10ms;
  ASSERT_TRUE(Seals());
  now_ = *candidacy_->sealed_until(now_) - 5ms;
  Grant(0);
  EXPECT_EQ(Tick(), CandidacyChange::kNone);  // counts, and would not again for 10 ms
  const Instant renewed = now_;
  now_ += 3ms;
  for (std::uint32_t slot = 1; slot < 501; ++slot) Grant(slot);
  now_ += 2ms;
  EXPECT_EQ(Tick(), CandidacyChange::kNone);
  EXPECT_EQ(candidacy_->sealed_until(now_), renewed + ShortenedLease(tunables_));
}

}  // namespace
}  // namespace radix::flock
