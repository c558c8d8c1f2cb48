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

}  // namespace
}  // namespace radix::flock
