#include "services/flock/key_status_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::flock {
namespace {

using testing::HasSubstr;

Group ThreeNodes() {
  Group group;
  group.quorum = 2;
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    GroupMember member;
    member.id = {slot, slot + 10};
    member.address = *IpAddress::Parse("127.0.0." + std::to_string(slot + 1));
    if (slot != 2) member.introduction.name = "n" + std::to_string(slot + 1);
    group.members.push_back(member);
  }
  return group;
}

KeyReport Report(KeyResult result) {
  return {result, 7, {0, 10}, RotationPhase::kInstalled, 0xab, 0, 0xcd, 3, 1, {1, 2}};
}

TEST(KeyStatusCodecTest, RefusesStepsAndNamesThatAreNone) {
  v1::RotateSecondaryKeyRequest request;
  request.set_from("000000ab");
  EXPECT_THAT(std::string(FromProto(request).status().message()), HasSubstr("step:"));
  request.set_step(v1::ROTATION_STEP_USE);
  ASSERT_TRUE(FromProto(request).ok());
  EXPECT_EQ(FromProto(request)->from, 0xabU);
  EXPECT_EQ(FromProto(request)->step, KeyStep::kUse);
  for (const char* from : {"", "ab", "00000000", "0000000g", "0x0000ab", "000000ab0", "-00000ab"}) {
    request.set_from(from);
    EXPECT_THAT(std::string(FromProto(request).status().message()), HasSubstr("from:")) << from;
  }
}

TEST(KeyStatusCodecTest, ShowsTheSlotsAndWhoHasThem) {
  const auto response = ToProto(Report(KeyResult::kDone), {1, 2}, ThreeNodes());
  EXPECT_EQ(response.secondary().epoch(), 7);
  EXPECT_EQ(response.secondary().leader_node(), "n1");
  EXPECT_EQ(response.secondary().phase(), v1::ROTATION_PHASE_INSTALLED);
  EXPECT_EQ(response.secondary().current(), "000000ab");
  EXPECT_EQ(response.secondary().previous(), "");
  EXPECT_EQ(response.secondary().next(), "000000cd");
  ASSERT_EQ(response.members_size(), 3);
  EXPECT_TRUE(response.members(0).acknowledged());
  EXPECT_FALSE(response.members(1).acknowledged());
  EXPECT_FALSE(response.members(2).acknowledged());
  EXPECT_EQ(response.members(2).address(), "127.0.0.3");
}

TEST(KeyStatusCodecTest, DoesNotShowWhoWasRevokedSinceNobodyWaitsForIt) {
  Group group = ThreeNodes();
  group.members[1].revoked = true;
  const auto response = ToProto(Report(KeyResult::kDone), {2}, group);
  ASSERT_EQ(response.members_size(), 2);
  EXPECT_EQ(response.members(0).node(), "n1");
  EXPECT_EQ(response.members(1).address(), "127.0.0.3");
}

TEST(KeyStatusCodecTest, SaysWhoIsMissingByNameOrAddress) {
  const auto refused = ToStatus(Report(KeyResult::kNotAcknowledged), ThreeNodes());
  EXPECT_EQ(refused.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(refused.message()),
              testing::AllOf(HasSubstr("1 of 3"), HasSubstr("n2, 127.0.0.3")));
  const auto hopeless = ToStatus(Report(KeyResult::kNoQuorum), ThreeNodes());
  EXPECT_THAT(std::string(hopeless.message()), HasSubstr("quorum of 2"));
  EXPECT_EQ(ToStatus(Report(KeyResult::kOtherRotation), ThreeNodes()).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ToStatus(Report(KeyResult::kNoLeader), ThreeNodes()).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(ToStatus(Report(KeyResult::kDone), ThreeNodes()).ok());
  KeyReport many = Report(KeyResult::kNotAcknowledged);
  many.members = 100;
  for (std::uint32_t slot = 3; slot < 99; ++slot) many.missing.push_back(slot);
  EXPECT_THAT(std::string(ToStatus(many, ThreeNodes()).message()), HasSubstr(" and 89 more"));
}

}  // namespace
}  // namespace radix::flock
