#include "services/flock/secondary_rotation.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <vector>

namespace radix::flock {
namespace {

// The leader of five, of whom three are a quorum.
class SecondaryRotationTest : public testing::Test {
 protected:
  SecondaryRotationTest() {
    EXPECT_GE(sodium_init(), 0);
    for (std::uint32_t slot = 1; slot <= 5; ++slot) live_.push_back({slot, 100 + slot});
    rotation_.Lead(7);
  }

  void Acknowledge(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      rotation_.HandleAck(live_[i], ring_.version(), ring_, now_);
    }
  }
  KeyReport Give(KeyStep step, bool force = false) {
    return rotation_.Execute({step, from_, force, 0}, live_, Key{9, draw_++}, ring_);
  }
  KeyResult ResultOf(KeyStep step, bool force = false) { return Give(step, force).result; }

  std::vector<MemberId> live_;
  SecondaryRotation rotation_{{1, 101}, 3};
  SecondaryRing ring_{{Key{0, 0, 0, 2}, Key{0, 0, 0, 1}}};
  std::uint32_t from_ = ring_.current().tag;
  std::uint8_t draw_ = 1;
  Instant now_{100s};
};

TEST_F(SecondaryRotationTest, EachPhaseWaitsForEverybodyAndMayBeOrderedAgain) {
  Acknowledge(5);
  for (const KeyStep step : {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove}) {
    EXPECT_EQ(ResultOf(step), KeyResult::kDone);
    const std::uint32_t version = ring_.version();
    EXPECT_EQ(ResultOf(step), KeyResult::kDone);
    EXPECT_EQ(ring_.version(), version) << "the second time nothing is done";
    Acknowledge(4);
    if (step != KeyStep::kRemove) {
      const KeyStep next = step == KeyStep::kInstall ? KeyStep::kUse : KeyStep::kRemove;
      const KeyReport refused = Give(next);
      EXPECT_EQ(refused.result, KeyResult::kNotAcknowledged);
      EXPECT_EQ(refused.missing, std::vector<std::uint32_t>{5});
      EXPECT_EQ(refused.acknowledged, 4U);
      EXPECT_EQ(refused.members, 5U);
      EXPECT_EQ(ring_.version(), version);
    }
    Acknowledge(5);
  }
  // All of it again, long after: still one rotation.
  const std::uint32_t version = ring_.version();
  for (const KeyStep step : {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove}) {
    EXPECT_EQ(ResultOf(step), KeyResult::kDone);
  }
  EXPECT_EQ(ring_.version(), version);
  EXPECT_EQ(ring_.previous()->tag, from_);
}

TEST_F(SecondaryRotationTest, ForceNeedsAQuorumAllTheSame) {
  Acknowledge(5);
  ASSERT_EQ(ResultOf(KeyStep::kInstall), KeyResult::kDone);
  Acknowledge(2);
  EXPECT_EQ(ResultOf(KeyStep::kUse), KeyResult::kNotAcknowledged);
  EXPECT_EQ(ResultOf(KeyStep::kUse, true), KeyResult::kNoQuorum);
  Acknowledge(3);
  EXPECT_EQ(ResultOf(KeyStep::kUse), KeyResult::kNotAcknowledged);
  EXPECT_EQ(ResultOf(KeyStep::kUse, true), KeyResult::kDone);
  EXPECT_EQ(ring_.previous()->tag, from_);
}

TEST_F(SecondaryRotationTest, RefusesPhasesOutOfTurnAndOtherRotations) {
  Acknowledge(5);
  EXPECT_EQ(ResultOf(KeyStep::kUse), KeyResult::kTooEarly);
  EXPECT_EQ(ResultOf(KeyStep::kRemove), KeyResult::kTooEarly);
  from_ ^= 2;
  EXPECT_EQ(ResultOf(KeyStep::kInstall), KeyResult::kOtherRotation);
  from_ = ring_.current().tag;
  ASSERT_EQ(ResultOf(KeyStep::kInstall), KeyResult::kDone);
  EXPECT_EQ(ResultOf(KeyStep::kRemove), KeyResult::kTooEarly);
  Acknowledge(5);
  ASSERT_EQ(ResultOf(KeyStep::kUse), KeyResult::kDone);
  Acknowledge(5);
  // The next rotation has to wait for this one's end.
  from_ = ring_.current().tag;
  EXPECT_EQ(ResultOf(KeyStep::kInstall), KeyResult::kTooEarly);
}

TEST_F(SecondaryRotationTest, ANewLeaderReadsAQuorumBeforeItOrders) {
  Acknowledge(2);
  EXPECT_FALSE(rotation_.settled());
  EXPECT_EQ(ResultOf(KeyStep::kInstall, true), KeyResult::kNotSettled);
  EXPECT_EQ(ResultOf(KeyStep::kLook), KeyResult::kDone);
  rotation_.HandleAck(live_[2], ring_.version() ^ 2, ring_, now_);
  EXPECT_FALSE(rotation_.settled()) << "what has other slots does not count";
  Acknowledge(3);
  EXPECT_TRUE(rotation_.settled());
  rotation_.Lead(8);
  EXPECT_FALSE(rotation_.settled());
  EXPECT_FALSE(rotation_.Follows(live_[2])) << "what was acknowledged to an earlier epoch";
  rotation_.Lead(0);
  EXPECT_EQ(ResultOf(KeyStep::kLook), KeyResult::kNoLeader);
}

TEST_F(SecondaryRotationTest, AnotherBootOfAMemberHasNotAcknowledged) {
  Acknowledge(5);
  live_[4].boot = 999;
  EXPECT_EQ(Give(KeyStep::kInstall).missing, std::vector<std::uint32_t>{5});
}

TEST_F(SecondaryRotationTest, ThoseWhoAreBehindAreToldUntilTheyAcknowledge) {
  Acknowledge(5);
  EXPECT_TRUE(rotation_.TakeBehind(ring_, now_).empty());
  ASSERT_EQ(ResultOf(KeyStep::kInstall), KeyResult::kDone);
  EXPECT_EQ(rotation_.TakeBehind(ring_, now_).size(), 4U) << "all but this node";
  EXPECT_TRUE(rotation_.TakeBehind(ring_, now_ + 100ms).empty());
  rotation_.HandleAck(live_[1], ring_.version(), ring_, now_);
  EXPECT_EQ(rotation_.TakeBehind(ring_, now_ + 700ms).size(), 3U);
}

TEST_F(SecondaryRotationTest, ListsWhoIsMissingInParts) {
  live_.clear();
  for (std::uint32_t slot = 1; slot <= 450; ++slot) live_.push_back({slot, slot});
  std::vector<std::uint32_t> missing;
  for (std::uint32_t first = 0;;) {
    const KeyReport report =
        rotation_.Execute({KeyStep::kLook, 0, false, first}, live_, Key{}, ring_);
    missing.insert(missing.end(), report.missing.begin(), report.missing.end());
    if (report.missing.size() < KeyReport::kMissingMax) break;
    first = report.missing.back() + 1;
  }
  EXPECT_EQ(missing.size(), 450U);
  EXPECT_EQ(missing.back(), 450U);
}

}  // namespace
}  // namespace radix::flock
