#include "services/flock/replay_window.h"

#include <gtest/gtest.h>

namespace radix::flock {
namespace {

TEST(ReplayWindowTest, AcceptsEachCounterOnceInAnyOrder) {
  ReplayWindow window;
  for (const std::uint64_t counter : {1, 5, 3, 64, 4}) {
    EXPECT_TRUE(window.IsFresh(counter)) << counter;
    window.Accept(counter);
    EXPECT_FALSE(window.IsFresh(counter)) << counter;
  }
  EXPECT_TRUE(window.IsFresh(2));
}

TEST(ReplayWindowTest, RefusesWhatIsOlderThanTheWindow) {
  ReplayWindow window;
  window.Accept(100);
  EXPECT_TRUE(window.IsFresh(37));
  EXPECT_FALSE(window.IsFresh(36));
  window.Accept(1000);
  EXPECT_FALSE(window.IsFresh(100));
  EXPECT_TRUE(window.IsFresh(999));
}

TEST(ReplayWindowTest, NeverAcceptsZero) {
  const ReplayWindow window;
  EXPECT_FALSE(window.IsFresh(0));
}

TEST(ReplayWindowTest, StartsAtACounterThatIsItselfFresh) {
  for (const std::uint64_t start : {1, 2, 63, 64, 65, 5000}) {
    ReplayWindow window;
    window.StartAt(start);
    EXPECT_TRUE(window.IsFresh(start));
    EXPECT_FALSE(window.IsFresh(0));
    if (start > 65) {
      EXPECT_FALSE(window.IsFresh(start - 65));
    }
    window.Accept(start);
    EXPECT_FALSE(window.IsFresh(start));
    EXPECT_TRUE(window.IsFresh(start + 1));
  }
}

TEST(ReplayWindowTest, WhatWasSentBeforeItBeganIsNotSureUntilItIsTooOld) {
  ReplayWindow window;
  window.StartAt(1000);
  EXPECT_TRUE(window.IsFresh(990));
  EXPECT_FALSE(window.IsSure(990));
  EXPECT_TRUE(window.IsSure(1000));
  window.Accept(1005);
  EXPECT_TRUE(window.IsSure(1000));
  EXPECT_FALSE(window.IsSure(999));
  window.Accept(1070);
  EXPECT_TRUE(window.IsSure(1007));
  EXPECT_FALSE(window.IsFresh(1006));
}

TEST(ReplayWindowTest, RemembersWhatWasSeenWhenItGoesOn) {
  ReplayWindow window;
  window.Accept(42);
  window.ResumeAt(41);
  EXPECT_TRUE(window.IsFresh(41));
  EXPECT_TRUE(window.IsSure(41));
  EXPECT_FALSE(window.IsSure(40));
  EXPECT_FALSE(window.IsFresh(42));
  window.ResumeAt(60);
  EXPECT_FALSE(window.IsFresh(42));
  EXPECT_TRUE(window.IsFresh(50));
  EXPECT_FALSE(window.IsSure(50));
  EXPECT_TRUE(window.IsSure(60));
}

TEST(ReplayWindowTest, SaysThatSomebodyElseCountedFarAhead) {
  ReplayWindow window;
  window.Accept(ReplayWindow::kOvertakenMax + 1000);
  EXPECT_FALSE(window.IsAheadOf(ReplayWindow::kOvertakenMax + 1001));
  EXPECT_FALSE(window.IsAheadOf(1001));
  EXPECT_TRUE(window.IsAheadOf(1000));
  EXPECT_FALSE(window.IsFresh(ReplayWindow::kCounterMax + 1));
  window.Accept(ReplayWindow::kCounterMax);
  EXPECT_TRUE(window.IsAheadOf(1001));
}

TEST(PairReplayWindowTest, AcceptsEachCounterOnceWithinTheLast24AndNothingFromBeforeItBegan) {
  PairReplayWindow window;
  EXPECT_FALSE(window.IsFresh(0));
  window.StartAt(100);
  EXPECT_FALSE(window.IsFresh(99));
  for (const std::uint64_t counter : {100, 110, 103, 133}) {
    EXPECT_TRUE(window.IsFresh(counter)) << counter;
    window.Accept(counter);
    EXPECT_FALSE(window.IsFresh(counter)) << counter;
  }
  EXPECT_FALSE(window.IsFresh(109));
  EXPECT_TRUE(window.IsFresh(111));
  window.StartAt(50);
  EXPECT_FALSE(window.IsFresh(133));
  EXPECT_FALSE(window.IsFresh(std::uint64_t{1} << 40));
}

}  // namespace
}  // namespace radix::flock
