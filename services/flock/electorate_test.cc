#include "services/flock/electorate.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

#include "services/confab/random.h"

namespace radix::flock {
namespace {

constexpr std::uint64_t kCharter = 5;
constexpr MemberId kAnn{1, 11};
using Revision = Electorate::Revision;

class ElectorateTest : public testing::Test {
 protected:
  // On a leader at slot 0 under `epoch`.
  Revision Revise(Electorate& electorate, std::uint64_t epoch, std::vector<std::uint32_t> granting,
                  std::vector<std::uint32_t> waiting = {}, bool acknowledged = true) {
    return electorate.Revise({epoch, 0, std::move(granting), std::move(waiting), acknowledged,
                              [&](std::uint32_t slot) { return gone_.contains(slot); }});
  }
  static Electorate Limited() { return Electorate(10, 3, kCharter); }
  Electorate Founded() {
    Electorate electorate = Limited();
    EXPECT_EQ(Revise(electorate, 7, {0, 4, 6}), Revision::kMade);
    return electorate;
  }
  static std::vector<std::uint32_t> Voters(const Electorate& electorate) {
    std::vector<std::uint32_t> slots;
    for (std::uint32_t slot = 0; slot < 10; ++slot) {
      if (electorate.HasVote(slot)) slots.push_back(slot);
    }
    return slots;
  }
  using Slots = std::vector<std::uint32_t>;

  std::set<std::uint32_t> gone_;
};

std::vector<std::uint8_t> Part(const Electorate& electorate, std::uint32_t from = 0) {
  std::array<std::uint8_t, Electorate::kPartSizeMax> bytes{};
  Writer out(bytes);
  electorate.EncodePart(from, out);
  EXPECT_TRUE(out.ok());
  return {out.written().begin(), out.written().end()};
}

TEST_F(ElectorateTest, WhereEverySlotMayHaveANodeThereIsNoList) {
  Electorate electorate(3, 3, kCharter);
  EXPECT_FALSE(electorate.is_limited());
  EXPECT_EQ(Revise(electorate, 7, {0, 1, 2}, {}), Revision::kNone);
  EXPECT_FALSE(electorate.is_known());
}

TEST_F(ElectorateTest, TheFirstToGrantAsManyAsMayBeAreListedAndNobodyElse) {
  Electorate electorate = Limited();
  EXPECT_EQ(Revise(electorate, 7, {0, 4}), Revision::kNone);
  EXPECT_TRUE(electorate.HasVote(9)) << "without a list everybody has a vote";
  EXPECT_EQ(Revise(electorate, 7, {0, 4, 6}), Revision::kMade);
  EXPECT_EQ(Voters(electorate), (Slots{0, 4, 6}));
  EXPECT_EQ(electorate.version(), (ElectorateVersion{7, 1}));
}

TEST_F(ElectorateTest, TheLeaderIsListedAlthoughItsOwnVoteIsLate) {
  Electorate electorate = Limited();
  EXPECT_EQ(Revise(electorate, 7, {1, 2, 3}), Revision::kMade);
  EXPECT_EQ(Voters(electorate), (Slots{0, 1, 2}));
}

TEST_F(ElectorateTest, TurnsAwayTheNewestWhileAllOthersAreThere) {
  Electorate electorate = Founded();
  EXPECT_EQ(Revise(electorate, 7, {0, 4, 6}), Revision::kNone);
  EXPECT_EQ(Revise(electorate, 7, {0, 4, 6}, {2}), Revision::kFull);
  EXPECT_EQ(Voters(electorate), (Slots{0, 4, 6}));
}

TEST_F(ElectorateTest, WhoIsGoneDropsOutFirstAndOnlyAfterAQuorumKnowsAnotherComesIn) {
  Electorate electorate = Founded();
  gone_ = {4};
  EXPECT_EQ(Revise(electorate, 7, {0, 6}, {2, 3}, false), Revision::kNone) << "rule 4";
  EXPECT_EQ(Revise(electorate, 7, {0, 6}, {2, 3}), Revision::kMade);
  EXPECT_EQ(Voters(electorate), (Slots{0, 6}));
  EXPECT_EQ(Revise(electorate, 7, {0, 6}, {2, 3}, false), Revision::kNone);
  EXPECT_EQ(Voters(electorate), (Slots{0, 6}));
  EXPECT_EQ(Revise(electorate, 7, {0, 6}, {2, 3}), Revision::kMade);
  EXPECT_EQ(Voters(electorate), (Slots{0, 2, 6}));
  EXPECT_EQ(electorate.version(), (ElectorateVersion{7, 3}));
  EXPECT_EQ(Revise(electorate, 7, {0, 2, 6}, {3}), Revision::kFull);
}

TEST_F(ElectorateTest, WhoIsGoneKeepsItsPlaceWhileNobodyWaits) {
  Electorate electorate = Founded();
  gone_ = {4, 6};
  EXPECT_EQ(Revise(electorate, 7, {0}), Revision::kNone);
  EXPECT_EQ(Revise(electorate, 7, {0}, {2}), Revision::kMade);
  EXPECT_EQ(electorate.count(), 2U) << "no more drop out than wait";
}

TEST_F(ElectorateTest, ALaterLeaderMakesTheListAnewBeforeItChangesIt) {
  Electorate electorate = Founded();
  gone_ = {4};
  EXPECT_EQ(Revise(electorate, 8, {0, 6}, {2}, true), Revision::kMade);
  EXPECT_EQ(electorate.version(), (ElectorateVersion{8, 1}));
  EXPECT_EQ(Voters(electorate), (Slots{0, 4, 6}));
}

TEST_F(ElectorateTest, IsToldToAnotherNodeAndOnlyForward) {
  Electorate electorate = Founded();
  const auto first = Part(electorate);
  Electorate other = Limited();
  EXPECT_TRUE(other.HandlePart(kAnn, Electorate::Word::kEnough, first, Instant{}));
  EXPECT_EQ(Voters(other), (Slots{0, 4, 6}));
  EXPECT_EQ(other.version(), electorate.version());
  EXPECT_FALSE(other.HandlePart(kAnn, Electorate::Word::kEnough, first, Instant{}))
      << "nothing new";
  gone_ = {4};
  Revise(electorate, 7, {0, 6}, {2});
  EXPECT_TRUE(other.HandlePart(kAnn, Electorate::Word::kEnough, Part(electorate), Instant{}));
  EXPECT_EQ(Voters(other), (Slots{0, 6}));
  EXPECT_FALSE(other.HandlePart(kAnn, Electorate::Word::kEnough, first, Instant{}))
      << "an older one";
  EXPECT_EQ(Voters(other), (Slots{0, 6}));
}

TEST_F(ElectorateTest, ALongListComesInPartsInAnyOrderAndHoldsOnlyWhenWhole) {
  Electorate electorate(100000, 20, kCharter);
  Slots granting;
  for (std::uint32_t i = 0; i < 20; ++i) granting.push_back(i * i * 250);
  ASSERT_EQ(Revise(electorate, 3, granting), Revision::kMade);
  EXPECT_EQ(electorate.part_count(), 13U);
  // Parts in which nobody votes are left out.
  std::vector<std::vector<std::uint8_t>> parts;
  std::array<std::uint8_t, Electorate::kPartSizeMax> bytes{};
  for (std::uint32_t next = 0;;) {
    Writer out(bytes);
    const std::uint32_t after = electorate.EncodePart(next, out);
    if (after <= next) break;  // around
    next = after;
    parts.emplace_back(out.written().begin(), out.written().end());
  }
  EXPECT_EQ(parts.size(), 11U);
  Random random(1);
  random.Shuffle(parts);
  Electorate other(100000, 20, kCharter);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(other.HandlePart(kAnn, Electorate::Word::kEnough, parts[i], Instant{}),
              i + 1 == parts.size());
    EXPECT_FALSE(i + 1 < parts.size() &&
                 other.HandlePart(kAnn, Electorate::Word::kEnough, parts[i], Instant{}))
        << "the same once more";
  }
  for (std::uint32_t slot = 0; slot < 100000; ++slot) {
    ASSERT_EQ(other.HasVote(slot), electorate.HasVote(slot)) << slot;
  }
}

TEST_F(ElectorateTest, WhatIsMalformedOrOfAnotherCharterChangesNothing) {
  Electorate electorate = Founded();
  const auto good = Part(electorate);
  Electorate foreign(10, 3, kCharter + 1);
  EXPECT_FALSE(foreign.HandlePart(kAnn, Electorate::Word::kEnough, good, Instant{}));
  Electorate lesser(10, 2, kCharter);
  EXPECT_FALSE(lesser.HandlePart(kAnn, Electorate::Word::kEnough, good, Instant{}))
      << "more than may be";
  Electorate shorter(5, 3, kCharter);
  EXPECT_FALSE(shorter.HandlePart(kAnn, Electorate::Word::kEnough, good, Instant{}))
      << "slots that there are not";
  EXPECT_FALSE(shorter.is_known());
  Random random(2);
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint8_t> bad = good;
    bad[random.Below(bad.size())] ^= static_cast<std::uint8_t>(1 + random.Below(255));
    bad.resize(random.Below(bad.size() + 9));
    Electorate other = Limited();
    if (!other.HandlePart(kAnn, Electorate::Word::kEnough, bad, Instant{})) {
      EXPECT_FALSE(other.is_known());
      continue;
    }
    EXPECT_LE(Voters(other).size(), 3U);
    EXPECT_EQ(Voters(other).size(), other.count());
  }
}

}  // namespace
}  // namespace radix::flock
