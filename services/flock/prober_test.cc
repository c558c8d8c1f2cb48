#include "services/flock/prober.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace radix::flock {
namespace {

constexpr Instant kStart{1000s};

TEST(ProberTest, AnAccusationNamesThroughWhomItWasTriedAndHowOftenTheyHadNoAnswer) {
  MemberTable members(8, 8);
  for (std::uint32_t slot = 0; slot < 2; ++slot) {
    members.Add({{slot, 100 + slot}, 1, MemberState::kAlive, 1});
  }
  Random random(1);
  Prober prober(Tunables{}, kStart, random);
  std::vector<ProbeStep> steps;
  for (Instant now = kStart; now < kStart + 3s; now += 1ms) {
    while (const auto step = prober.Poll(members, 0, now, random)) {
      steps.push_back(*step);
      if (step->kind == ProbeStep::Kind::kIndirect) {
        prober.NoteRelay(step->sequence, 5);
        prober.NoteRelay(step->sequence, 6);
        prober.NoteRelay(step->sequence, 5);
        prober.NoteRelay(step->sequence + 1, 7);  // another probe's
        prober.HandleReport(step->sequence, false);
        prober.HandleReport(step->sequence, false);
        prober.HandleReport(step->sequence, false);
      }
      if (step->kind == ProbeStep::Kind::kAccuse) break;
    }
    if (!steps.empty() && steps.back().kind == ProbeStep::Kind::kAccuse) break;
  }
  ASSERT_FALSE(steps.empty());
  const ProbeStep& accusation = steps.back();
  ASSERT_EQ(accusation.kind, ProbeStep::Kind::kAccuse);
  EXPECT_EQ(accusation.target.slot, 1U);
  ASSERT_EQ(accusation.probes.relay_count, 2);
  EXPECT_EQ(accusation.probes.relays[0], 5U);
  EXPECT_EQ(accusation.probes.relays[1], 6U);
  EXPECT_EQ(accusation.probes.relay_failures, 3);
  EXPECT_FALSE(accusation.confirms);
}

TEST(ProberTest, WhenOthersHaveNoAnswerEitherItLooksAtOnceAtThoseBeside) {
  MemberTable members(400, 100);
  for (std::uint32_t slot = 0; slot < 400; slot += 2) {
    members.Add({{slot, 100 + slot}, 1, MemberState::kAlive, 1});
  }
  for (const bool reported : {false, true}) {
    Random random(1);
    Prober prober(Tunables{}, kStart, random);
    std::optional<std::uint32_t> first;
    std::vector<std::uint32_t> probed;
    for (Instant now = kStart; now < kStart + 2s; now += 1ms) {
      while (const auto step = prober.Poll(members, 399, now, random)) {
        if (step->kind == ProbeStep::Kind::kDirect) probed.push_back(step->target.slot);
        if (step->kind == ProbeStep::Kind::kAccuse && !first) first = step->target.slot;
        if (reported && step->kind == ProbeStep::Kind::kIndirect) {
          prober.HandleReport(step->sequence, false);
        }
      }
      if (first) break;
    }
    ASSERT_TRUE(first);
    for (const std::uint32_t beside : {*first - 2, *first + 2}) {
      EXPECT_EQ(std::ranges::count(probed, beside), reported ? 1 : 0) << *first;
    }
    EXPECT_LE(probed.size(), 16U);
  }
}

TEST(ProberTest, WhoIsSaidToHaveBeenReplacedIsProbedOnceTheOtherHadTimeToAnswer) {
  MemberTable members(200, 8);
  for (std::uint32_t slot = 0; slot < 200; ++slot) {
    members.Add({{slot, 100 + slot}, 1, MemberState::kAlive, 1});
  }
  Random random(1);
  Prober prober(Tunables{}, kStart, random);
  prober.Restart(kStart + 10s);  // no probe of its own for now
  for (std::uint32_t slot = 1; slot < 200; ++slot) prober.LookAt({slot, 100 + slot}, kStart);
  prober.LookAt({1, 101}, kStart);
  EXPECT_FALSE(prober.Poll(members, 0, kStart + 100ms, random));
  members.Apply(*members.Find(2), {{2, 7}, 2, MemberState::kAlive, 1});
  std::vector<std::uint32_t> probed;
  std::optional<ProbeStep> last;
  for (Instant now = kStart; now < kStart + 1s; now += 10ms) {
    while (const auto step = prober.Poll(members, 0, now, random)) {
      if (step->kind == ProbeStep::Kind::kDirect) probed.push_back(step->target.slot);
      if (step->kind == ProbeStep::Kind::kAccuse && step->target.slot == 1) last = step;
    }
  }
  EXPECT_EQ(std::ranges::count(probed, 1U), 1);
  EXPECT_EQ(std::ranges::count(probed, 2U), 0) << "it was replaced meanwhile";
  EXPECT_LE(probed.size(), 16U);
  ASSERT_TRUE(last);
  EXPECT_FALSE(last->confirms);
}

TEST(ProberTest, AnAccusationSaysWhetherOthersMadeThisNodeLook) {
  MemberTable members(8, 8);
  members.Add({{0, 100}, 1, MemberState::kAlive, 1});
  members.Add({{1, 101}, 1, MemberState::kAlive, 1});
  Random random(1);
  Prober prober(Tunables{}, kStart, random);
  prober.Restart(kStart + 10s);  // no probe of its own for now
  prober.Confirm({1, 101}, kStart);
  std::optional<ProbeStep> last;
  for (Instant now = kStart; now < kStart + 1s; now += 10ms) {
    while (const auto step = prober.Poll(members, 0, now, random)) last = step;
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, ProbeStep::Kind::kAccuse);
  EXPECT_TRUE(last->confirms);
}

}  // namespace
}  // namespace radix::flock
