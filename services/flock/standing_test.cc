#include "services/flock/standing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "services/confab/random.h"

namespace radix::flock {
namespace {

TEST(StandingTest, KeepsTheOrderThroughAnyMixOfComingAndGoing) {
  const Ranking ranking{7};
  MemberTable table{2000};
  Random random(3);
  const MemberId self{0, 100};
  Standing standing({}, ranking, 1, self);
  table.Add({self, 1, MemberState::kAlive, 1});
  for (int step = 0; step < 3000; ++step) {
    const auto slot = static_cast<std::uint32_t>(1 + random.Below(60));
    Member* const member = table.Find(slot);
    if (member == nullptr) {
      table.Add({{slot, random.Next() | 1}, 1, MemberState::kAlive, 1});
    } else if (random.Chance(0.2)) {
      table.Remove(slot);
    } else if (random.Chance(0.5)) {
      table.SetState(*member, MemberState::kDead);
    } else {
      table.Apply(*member, {{slot, random.Next() | 1}, 2, MemberState::kAlive, 1});
    }
    standing.Update(table, std::nullopt, Instant(1000s) + step * 10ms);
    MemberId first = self;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const Member& other = table.at(i);
      if (IsLive(other.state) && ranking.Before(other.id(), first)) first = other.id();
    }
    ASSERT_EQ(standing.first(), first) << step;
  }
}

// Thousands that boot at once know a few each: if all of those stood, they would ping the same few.
TEST(StandingTest, NobodyStandsBeforeItKnowsAQuorum) {
  const Ranking ranking{7};
  const MemberId self{0, 100};
  Standing standing({}, ranking, 4, self);
  MemberTable table{20};
  table.Add({self, 1, MemberState::kAlive, 1});
  Instant now{1000s};
  for (std::uint32_t slot = 1; slot < 20; ++slot) {
    standing.Update(table, std::nullopt, now += 50ms);
    EXPECT_EQ(standing.all_stand(), slot >= 4 && slot <= Tunables{}.standing_all_below) << slot;
    if (slot < 4) {
      EXPECT_FALSE(standing.stands()) << slot;
    } else if (slot <= Tunables{}.standing_all_below) {
      EXPECT_TRUE(standing.stands()) << slot;
    }
    table.Add({{slot, 100 + slot}, 1, MemberState::kAlive, 1});
  }
}

TEST(StandingTest, WhoseKeyWasRevokedRanksNowhereAndDoesNotStand) {
  const Ranking ranking{7};
  const MemberId self{0, 100};
  Standing standing({}, ranking, 2, self);
  MemberTable table{20};
  MemberId first = self;
  for (std::uint32_t slot = 0; slot < 6; ++slot) {
    const MemberId id{slot, 100 + slot};
    table.Add({id, 1, MemberState::kAlive, 500 + slot});
    if (ranking.Before(id, first)) first = id;
  }
  Instant now{1000s};
  standing.Update(table, std::nullopt, now);
  ASSERT_EQ(standing.first(), first);
  standing.SetRevoked(Revocations({500 + first.slot}));
  standing.Update(table, std::nullopt, now += 50ms);
  EXPECT_NE(standing.first(), first);
  EXPECT_EQ(std::ranges::count(standing.FirstRanked(), first.slot), 0);
  EXPECT_TRUE(standing.stands());
  standing.SetRevoked(Revocations({500}));  // itself
  standing.Update(table, std::nullopt, now += 50ms);
  EXPECT_FALSE(standing.stands());
  standing.SetRevoked({});
  standing.Update(table, std::nullopt, now += 50ms);
  EXPECT_EQ(standing.first(), first);
  EXPECT_TRUE(standing.stands());
}

// Three members that this node hears, and itself, which ranks last.
class HurryTest : public testing::Test {
 protected:
  HurryTest() {
    std::vector<MemberId> ids;
    for (std::uint32_t slot = 0; slot < 4; ++slot) ids.push_back({slot, 100 + slot});
    std::ranges::sort(ids, [&](auto& a, auto& b) { return ranking_.Before(a, b); });
    for (const MemberId& id : ids) table_.Add({id, 1, MemberState::kAlive, 1});
    others_.assign(ids.begin(), ids.end() - 1);
    self_ = ids.back();
    standing_.emplace(Tunables{}, ranking_, 1, self_);
    for (const MemberId& id : others_) Hear(id);
  }

  void Hear(const MemberId& id, std::uint8_t flags = Beat::kCountsQuorum) {
    Contact& contact = table_.Open(*table_.Find(id.slot));
    contact.heard_at = now_;
    contact.beat_flags = flags;
  }

  bool Hurries(const std::optional<MemberId>& leader = std::nullopt) {
    standing_->Update(table_, leader, now_);
    return standing_->hurries();
  }

  const Ranking ranking_{7};
  Instant now_{1000s};
  MemberTable table_{16};
  std::vector<MemberId> others_;
  MemberId self_;
  std::optional<Standing> standing_;
};

// Of 5,000 nodes that powered up at once, several pinged all in the belief that they rank first.
TEST_F(HurryTest, NotWhenItHasTheKeyOfWhoRanksBeforeItAndIsNotListedYet) {
  for (const MemberId& id : others_) table_.SetState(*table_.Find(id.slot), MemberState::kDead);
  EXPECT_FALSE(Hurries());
  now_ += 1s;
  MemberId before{9, 1};
  while (!ranking_.Before(before, others_[0])) ++before.boot;
  standing_->HearOf(before, now_);
  EXPECT_FALSE(Hurries());
  now_ += 1s;
  standing_->HearOf(before, now_);
  EXPECT_FALSE(Hurries());
  now_ += 500ms;
  EXPECT_TRUE(Hurries()) << "it never came";
  MemberId after{9, 1};
  while (ranking_.Before(after, self_)) ++after.boot;
  standing_->HearOf(after, now_);
  EXPECT_TRUE(Hurries());
}

TEST_F(HurryTest, NotBeforeItCouldLearnWhoRanksBeforeIt) {
  table_.SetState(*table_.Find(others_[0].slot), MemberState::kDead);
  table_.SetState(*table_.Find(others_[1].slot), MemberState::kDead);
  table_.SetState(*table_.Find(others_[2].slot), MemberState::kDead);
  EXPECT_FALSE(Hurries());
  now_ += 1s;
  EXPECT_TRUE(Hurries());
}

TEST_F(HurryTest, NotWhileWhoRanksBeforeIsHeardAndMayLead) {
  EXPECT_FALSE(Hurries());
  now_ += 2s;
  EXPECT_TRUE(Hurries()) << "nobody was heard for longer than the time-out";
  Hear(others_[1]);
  EXPECT_FALSE(Hurries());
}

TEST_F(HurryTest, WhenThoseWhoRankBeforeArePassedOver) {
  EXPECT_FALSE(Hurries());
  for (int i = 0; i < 4; ++i) {
    now_ += 1s;
    for (const MemberId& id : others_) Hear(id, 0);
    EXPECT_EQ(Hurries(), i >= 2) << i;
  }
}

TEST_F(HurryTest, WhenTheSealedLeaderFallsSilentWhateverItsRank) {
  const MemberId leader = others_.back();
  EXPECT_FALSE(Hurries(leader));
  now_ += 2s;
  Hear(others_.front());
  EXPECT_TRUE(Hurries(leader));
  Hear(leader);
  EXPECT_FALSE(Hurries(leader));
}

}  // namespace
}  // namespace radix::flock
