#include "services/flock/key_ring.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <vector>

namespace radix::flock {
namespace {

constexpr Duration kGrace = 60s;

class KeyRingTest : public testing::Test {
 protected:
  KeyRingTest() { EXPECT_GE(sodium_init(), 0); }

  static std::vector<std::uint8_t> Encoded(const KeyRing& ring) {
    std::array<std::uint8_t, KeyRing::kEncodedSizeMax> buffer{};
    Writer out(buffer);
    ring.Encode(out);
    EXPECT_TRUE(out.ok());
    return {out.written().begin(), out.written().end()};
  }

  Ranking ranking_{1};
  Instant now_{100s};
};

TEST_F(KeyRingTest, OfTwoRingsBothSidesTakeTheSameAndStillOpenTheOther) {
  KeyRing one(ranking_, {0, 0, {1, 11}}, Key{1}, kGrace, now_);
  KeyRing two(ranking_, {0, 0, {2, 22}}, Key{2}, kGrace, now_);
  const std::uint32_t tags[] = {one.current().tag, two.current().tag};
  const auto first = Encoded(one);
  EXPECT_TRUE(one.Merge(Encoded(two), now_));
  EXPECT_TRUE(two.Merge(first, now_));
  EXPECT_EQ(one.current().tag, two.current().tag);
  const bool one_wins = ranking_.Before({1, 11}, {2, 22});
  EXPECT_EQ(one.current().tag, tags[one_wins ? 0 : 1]);
  for (const KeyRing* ring : {&one, &two}) {
    for (const std::uint32_t tag : tags) EXPECT_NE(ring->Find(tag, now_ + kGrace - 1s), nullptr);
    EXPECT_EQ(ring->Find(tags[one_wins ? 1 : 0], now_ + kGrace), nullptr);
  }
}

TEST_F(KeyRingTest, AGreaterEpochBeatsAGreaterSerialBeatsTheRank) {
  KeyRing sealed(ranking_, {5, 0, {1, 11}}, Key{1}, kGrace, now_);
  KeyRing rotated(ranking_, {0, 9, {2, 22}}, Key{2}, kGrace, now_);
  KeyRing fresh(ranking_, {0, 0, {3, 33}}, Key{3}, kGrace, now_);
  EXPECT_TRUE(fresh.Merge(Encoded(rotated), now_));
  EXPECT_EQ(fresh.current().tag, rotated.current().tag);
  EXPECT_TRUE(fresh.Merge(Encoded(sealed), now_));
  EXPECT_EQ(fresh.current().tag, sealed.current().tag);
  EXPECT_TRUE(fresh.Merge(Encoded(rotated), now_));
  EXPECT_EQ(fresh.current().tag, sealed.current().tag);
}

TEST_F(KeyRingTest, WhoSharesItsRingWithNobodyTakesAnyOtherAndStillOpensItsOwn) {
  KeyRing greater(ranking_, {5, 0, {1, 11}}, Key{1}, kGrace, now_);
  KeyRing lesser(ranking_, {0, 0, {2, 22}}, Key{2}, kGrace, now_);
  const std::uint32_t own = greater.current().tag;
  const auto other = Encoded(lesser);
  EXPECT_FALSE(greater.Adopt(std::span(other).first(9), now_));
  EXPECT_EQ(greater.current().tag, own);
  EXPECT_TRUE(greater.Adopt(other, now_));
  EXPECT_EQ(greater.current().tag, lesser.current().tag);
  EXPECT_NE(greater.Find(own, now_ + kGrace - 1s), nullptr);
}

TEST_F(KeyRingTest, MovesOneSlotAtATimeSoThatWhoMissedOneMoveStillFollows) {
  KeyRing leader(ranking_, {0, 0, {1, 11}}, Key{1}, kGrace, now_);
  KeyRing member(ranking_, {0, 0, {2, 22}}, Key{2}, kGrace, now_);
  member.Merge(Encoded(leader), now_);
  leader.Merge(Encoded(member), now_);
  const std::uint32_t first = leader.current().tag;
  leader.Prepare(0, {1, 11}, Key{3});
  EXPECT_EQ(leader.current().tag, first);
  EXPECT_NE(leader.version(), member.version());
  member.Merge(Encoded(leader), now_);
  EXPECT_EQ(leader.version(), member.version());
  leader.Advance(now_ + 1s);
  const std::uint32_t second = leader.current().tag;
  EXPECT_NE(second, first);
  EXPECT_NE(member.Find(second, now_ + 1s), nullptr);  // as next
  EXPECT_NE(leader.Find(first, now_ + 1s), nullptr);   // as previous
  member.Merge(Encoded(leader), now_ + 1s);
  EXPECT_EQ(member.current().tag, second);
}

TEST_F(KeyRingTest, AKeyIsForgottenTwoMovesAndAGraceLater) {
  KeyRing ring(ranking_, {0, 0, {1, 11}}, Key{1}, kGrace, now_);
  const std::uint32_t first = ring.current().tag;
  for (std::uint8_t i = 0; i < 2; ++i) {
    ring.Prepare(0, {1, 11}, Key{2, i});
    ring.Advance(now_);
  }
  EXPECT_NE(ring.Find(first, now_ + kGrace - 1ms), nullptr);
  EXPECT_EQ(ring.Find(first, now_ + kGrace), nullptr);
}

TEST_F(KeyRingTest, AnAdmittedRingOpensForAGraceButNeverSealsAndPushesOutNoKeyOfItsOwn) {
  KeyRing ring(ranking_, {0, 0, {1, 11}}, Key{1}, kGrace, now_);
  const std::uint32_t oldest = ring.current().tag;
  for (std::uint8_t i = 0; i < 2; ++i) {
    ring.Prepare(0, {1, 11}, Key{2, i});
    ring.Advance(now_);
  }
  const std::uint32_t own = ring.current().tag;
  for (std::uint8_t i = 0; i < 40; ++i) {
    const KeyRing other(ranking_, {9, 9, {2, 22}}, Key{3, i}, kGrace, now_);
    EXPECT_TRUE(ring.Admit(Encoded(other), now_));
    EXPECT_EQ(ring.current().tag, own);
    EXPECT_NE(ring.Find(other.current().tag, now_ + kGrace - 1s), nullptr);
    EXPECT_EQ(ring.Find(other.current().tag, now_ + kGrace), nullptr);
    EXPECT_NE(ring.Find(oldest, now_ + kGrace - 1s), nullptr);
  }
}

TEST_F(KeyRingTest, WhoFollowsALeaderTakesItsRingWhateverItsNumbers) {
  KeyRing leader(ranking_, {5, 1, {1, 11}}, Key{1}, kGrace, now_);
  KeyRing member(ranking_, {KeyRing::kEpochMax, KeyRing::kSerialMax, {2, 22}}, Key{2}, kGrace,
                 now_);
  const std::uint32_t before = member.current().tag;
  EXPECT_TRUE(member.Follow(Encoded(leader), now_));
  EXPECT_EQ(member.version(), leader.version());
  EXPECT_NE(member.Find(before, now_ + kGrace - 1s), nullptr);
  leader.Prepare(5, {1, 11}, Key{3});
  EXPECT_TRUE(member.Follow(Encoded(leader), now_));
  EXPECT_EQ(member.version(), leader.version());
  leader.Advance(now_);
  EXPECT_TRUE(member.Follow(Encoded(leader), now_));
  EXPECT_EQ(member.version(), leader.version());
}

TEST_F(KeyRingTest, RefusesNumbersThatCannotBeButFromItsLeader) {
  for (const KeyId& id :
       {KeyId{KeyRing::kEpochMax + 1, 0, {2, 22}}, KeyId{0, KeyRing::kSerialMax + 1, {2, 22}}}) {
    KeyRing ring(ranking_, {0, 0, {1, 11}}, Key{1}, kGrace, now_);
    const std::uint32_t own = ring.current().tag;
    const KeyRing other(ranking_, id, Key{2}, kGrace, now_);
    EXPECT_FALSE(ring.Merge(Encoded(other), now_));
    EXPECT_FALSE(ring.Adopt(Encoded(other), now_));
    EXPECT_FALSE(ring.Admit(Encoded(other), now_));
    EXPECT_EQ(ring.current().tag, own);
    EXPECT_EQ(ring.Find(other.current().tag, now_), nullptr);
    EXPECT_TRUE(ring.Follow(Encoded(other), now_));
  }
}

TEST_F(KeyRingTest, AfterTheLastSerialComesTheNextEpoch) {
  KeyRing ring(ranking_, {5, 0xffffffff, {1, 11}}, Key{1}, kGrace, now_);
  ring.Prepare(0, {1, 11}, Key{2});
  EXPECT_EQ(ring.next()->id, (KeyId{6, 0, {1, 11}}));
}

TEST_F(KeyRingTest, RefusesWhatIsNoRing) {
  KeyRing ring(ranking_, {0, 0, {1, 11}}, Key{1}, kGrace, now_);
  const auto encoded = Encoded(ring);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_FALSE(ring.Merge(std::span(encoded).first(size), now_)) << size;
  }
  EXPECT_TRUE(ring.Merge(encoded, now_));
}

}  // namespace
}  // namespace radix::flock
