#include "services/flock/discovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace radix::flock {
namespace {

constexpr Instant kStart{1000s};
constexpr std::uint32_t kSlots = 100;
constexpr std::uint32_t kSelf = 0;

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() { Join(kSelf); }

  void Join(std::uint32_t slot) { members_.Add({{slot, 100 + slot}, 1, MemberState::kAlive, 1}); }

  Discovery MakeDiscovery(std::uint32_t expected, std::vector<std::uint32_t> remembered = {}) {
    return {Tunables{}, kSlots, expected, kSelf, std::move(remembered), kStart};
  }

  // The slots tried before `until`, in order.
  std::vector<std::uint32_t> Tried(Discovery& discovery, Instant until) {
    std::vector<std::uint32_t> tried;
    for (; now_ < until; now_ = std::max(now_ + 1us, discovery.next())) {
      if (const auto slot = discovery.Poll(members_, now_, random_)) tried.push_back(*slot);
    }
    return tried;
  }

  MemberTable members_{kSlots};
  Random random_{1};
  Instant now_ = kStart;
};

TEST_F(DiscoveryTest, TriesWhoAnsweredNextAndOnceHoweverOftenItAnswered) {
  Discovery discovery = MakeDiscovery(kSlots, {40});
  for (int i = 0; i < 1000; ++i) discovery.HandleAnswer(70, kNever);
  const auto tried = Tried(discovery, kStart + 1s);
  ASSERT_GE(tried.size(), 2U);
  EXPECT_EQ(tried[0], 70U);
  EXPECT_EQ(tried[1], 40U);
}

TEST_F(DiscoveryTest, TriesWhomItRemembersThenItsNeighboursThenGuesses) {
  Discovery discovery = MakeDiscovery(kSlots, {40, 30});
  const auto tried = Tried(discovery, kStart + 1s);
  ASSERT_GE(tried.size(), 10U);
  EXPECT_EQ(std::vector(tried.begin(), tried.begin() + 4),
            (std::vector<std::uint32_t>{40, 30, kSlots - 1, 1}));
}

TEST_F(DiscoveryTest, TriesNobodyWhoIsKnown) {
  Join(1);
  Join(40);
  Discovery discovery = MakeDiscovery(kSlots, {40});
  const auto tried = Tried(discovery, kStart + 30s);
  EXPECT_EQ(tried.front(), kSlots - 1);
  EXPECT_EQ(std::ranges::count(tried, 1U) + std::ranges::count(tried, 40U), 0);
}

TEST_F(DiscoveryTest, TriesAgainWhoAnsweredAndIsNotKnownYet) {
  Discovery discovery = MakeDiscovery(kSlots);
  Tried(discovery, kStart + 1s);
  discovery.HandleAnswer(77, kNever);
  EXPECT_EQ(Tried(discovery, kStart + 2s).front(), 77U);
}

TEST_F(DiscoveryTest, TriesWhoAnsweredSomeTimesMoreButNotAtOnceAndGuessesMeanwhile) {
  Discovery discovery = MakeDiscovery(kSlots);
  Tried(discovery, kStart + 1s);
  discovery.HandleAnswer(77, now_);
  // What was sent to it when it answered may be answered yet.
  const auto at_once = Tried(discovery, now_ + 190ms);
  EXPECT_EQ(std::ranges::count(at_once, 77U), 0);
  EXPECT_FALSE(at_once.empty());
  const auto later = Tried(discovery, now_ + 10s);
  EXPECT_GE(std::ranges::count(later, 77U), 4);
  EXPECT_LE(std::ranges::count(later, 77U), 6);  // two of them guessed
  EXPECT_GE(later.size(), 40U);
  // Once it is known nobody asks.
  discovery.HandleAnswer(78, now_);
  Join(78);
  EXPECT_EQ(std::ranges::count(Tried(discovery, now_ + 10s), 78U), 0);
}

TEST_F(DiscoveryTest, GoesOnWhileAloneAndSlowlyWhenAsManyAreThereAsThereMayBe) {
  Discovery discovery = MakeDiscovery(2);
  EXPECT_GE(Tried(discovery, kStart + 10s).size(), 50U);
  Join(1);
  const auto tried = Tried(discovery, kStart + 40s);
  EXPECT_GE(tried.size(), 15U);
  EXPECT_LE(tried.size(), 31U);
}

}  // namespace
}  // namespace radix::flock
