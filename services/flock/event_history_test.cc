#include "services/flock/event_history.h"

#include <gtest/gtest.h>

#include <string>

namespace radix::flock {
namespace {

constexpr Instant kStart{1000s};
constexpr MemberId kAnn{1, 101};
constexpr MemberId kBob{2, 102};

class EventHistoryTest : public testing::Test {
 protected:
  std::optional<std::int64_t> Add(EventKind kind, const MemberId& subject = kAnn,
                                  Evidence evidence = Evidence::kNone, Instant at = kStart) {
    return history_.Add({kind, evidence, at, subject}, WallTime(at.time_since_epoch()));
  }
  static std::string Kinds(const std::vector<EventHistory::Entry>& entries) {
    std::string kinds;
    for (const auto& entry : entries) kinds += std::string(KindName(entry.event.kind)) + " ";
    return kinds;
  }

  EventHistory history_;
};

TEST_F(EventHistoryTest, GivesTheLastOrWhatCameAfterOldestFirstWhateverTheirKind) {
  EXPECT_TRUE(history_.Last(5).empty());
  EXPECT_EQ(Add(EventKind::kJoined), 1);
  EXPECT_EQ(Add(EventKind::kSealedLeader), 2);
  EXPECT_EQ(Add(EventKind::kSuspected), 3);
  EXPECT_EQ(Add(EventKind::kJoined), 4);
  EXPECT_EQ(Kinds(history_.Last(3)), "sealed-leader suspected joined ");
  EXPECT_EQ(Kinds(history_.Last(9)), "joined sealed-leader suspected joined ");
  EXPECT_EQ(Kinds(history_.After(2, 9)), "suspected joined ");
  EXPECT_EQ(Kinds(history_.After(0, 2)), "joined sealed-leader ");
  EXPECT_TRUE(history_.After(4, 9).empty());
  EXPECT_EQ(history_.last(), 4);
}

TEST_F(EventHistoryTest, WhatHappensOftenPushesOutNothingThatHappensSeldom) {
  Add(EventKind::kSealedLeader);
  Add(EventKind::kDied, kBob);
  for (std::size_t i = 0; i < EventHistory::kArrivalsMax + 10; ++i) Add(EventKind::kJoined);
  EXPECT_EQ(Kinds(history_.After(0, 2)), "sealed-leader died ");
  EXPECT_EQ(history_.Last(100'000).size(), EventHistory::kArrivalsMax + 2);
  EXPECT_FALSE(history_.is_complete());
  EXPECT_EQ(Kinds(history_.About(kBob.slot, 10)), "died ");
}

TEST_F(EventHistoryTest, EachKindIsBounded) {
  for (std::size_t i = 0; i < 50'000; ++i) {
    Add(EventKind::kJoined);
    Add(EventKind::kSuspected);
    Add(EventKind::kKeyChanged);
  }
  EXPECT_EQ(history_.Last(150'000).size(),
            EventHistory::kArrivalsMax + EventHistory::kVerdictsMax + EventHistory::kGroupMax);
  EXPECT_EQ(history_.Last(1).front().sequence, 150'000);
}

TEST_F(EventHistoryTest, TellsAboutOneSlotThroughAllItsBootsButNotOfKeys) {
  Add(EventKind::kJoined, kAnn);
  Add(EventKind::kJoined, kBob);
  Add(EventKind::kKeyChanged, kAnn);
  Add(EventKind::kSecondaryChanged, kAnn);
  Add(EventKind::kSuspected, kAnn);
  Add(EventKind::kSealedLeader, {kAnn.slot, 999});
  EXPECT_EQ(Kinds(history_.About(kAnn.slot, 10)), "joined suspected sealed-leader ");
  EXPECT_EQ(Kinds(history_.About(kAnn.slot, 1)), "sealed-leader ");
  EXPECT_TRUE(history_.is_complete());
}

TEST_F(EventHistoryTest, AnAlarmThatLastsIsKeptOnceAMinute) {
  for (int i = 0; i < 90; ++i) {
    const auto kept =
        Add(EventKind::kAlarm, kAnn, Evidence::kCharterDiffers, kStart + i * Duration(1s));
    EXPECT_EQ(kept.has_value(), i == 0 || i == 60) << i;
  }
  EXPECT_TRUE(Add(EventKind::kAlarm, kBob, Evidence::kCharterDiffers));
  EXPECT_TRUE(Add(EventKind::kAlarm, kAnn, Evidence::kTwoSealed));
}

TEST_F(EventHistoryTest, DoesNotKeepWhatMembersSayOfThemselves) {
  EXPECT_FALSE(Add(EventKind::kIntroduced));
  EXPECT_EQ(history_.last(), 0);
}

}  // namespace
}  // namespace radix::flock
