#include "services/flock/standing.h"

#include <gtest/gtest.h>

#include "services/confab/random.h"

namespace radix::flock {
namespace {

TEST(StandingTest, KeepsTheOrderThroughAnyMixOfComingAndGoing) {
  const Ranking ranking{7};
  MemberTable table{2000};
  Random random(3);
  const MemberId self{0, 100};
  Standing standing({}, ranking, self);
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
    standing.Update(table, false, Instant(1000s) + step * 10ms);
    MemberId first = self;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const Member& other = table.at(i);
      if (IsLive(other.state) && ranking.Before(other.id(), first)) first = other.id();
    }
    ASSERT_EQ(standing.first(), first) << step;
  }
}

}  // namespace
}  // namespace radix::flock
