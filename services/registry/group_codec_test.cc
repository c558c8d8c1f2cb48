#include "services/registry/group_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace radix::registry {
namespace {

using testing::ElementsAre;

flock::v1::WatchGroupResponse Message() {
  flock::v1::WatchGroupResponse message;
  message.set_epoch(7);
  message.set_leader_address("127.0.0.1");
  message.mutable_lease_remaining_duration()->set_seconds(2);
  message.set_granted_epoch(7);
  message.set_granted_address("127.0.0.1");
  message.mutable_grant_remaining_duration()->set_nanos(500);
  message.set_quorum(2);
  int host = 0;
  for (const auto state : {flock::v1::MEMBER_STATE_ALIVE, flock::v1::MEMBER_STATE_SUSPECT,
                           flock::v1::MEMBER_STATE_DEAD, flock::v1::MEMBER_STATE_LEFT}) {
    flock::v1::Member& member = *message.add_members();
    member.set_address("127.0.0." + std::to_string(++host));
    member.set_boot("b" + std::to_string(host));
    member.set_state(state);
  }
  return message;
}

TEST(GroupCodecTest, TellsWhoLeadsToWhomTheGrantRunsAndWhoLives) {
  const auto group = GroupFrom(Message());
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_EQ(group->epoch, 7U);
  EXPECT_EQ(group->leader, IpAddress::Parse("127.0.0.1").value());
  EXPECT_EQ(group->lease_remaining, Duration(2s));
  ASSERT_TRUE(group->grant);
  EXPECT_EQ(group->grant->epoch, 7U);
  EXPECT_EQ(group->grant->leader, IpAddress::Parse("127.0.0.1").value());
  EXPECT_EQ(group->grant->remaining, 500ns);
  EXPECT_EQ(group->quorum, 2U);
  std::vector<bool> alive;
  for (const Member& member : group->members) alive.push_back(member.alive);
  EXPECT_THAT(alive, ElementsAre(true, true, false, false));
  EXPECT_THAT(group->Unsuspected(), ElementsAre("127.0.0.1"));
  ASSERT_NE(group->Find(IpAddress::Parse("127.0.0.2").value()), nullptr);
  EXPECT_EQ(group->Find(IpAddress::Parse("127.0.0.2").value())->boot, "b2");
  EXPECT_EQ(group->Find(IpAddress::Parse("127.0.0.9").value()), nullptr);
}

TEST(GroupCodecTest, WhoWasRevokedIsToTheServicesAsWhoIsDead) {
  flock::v1::WatchGroupResponse message = Message();
  message.mutable_members(0)->set_revoked(true);
  const auto group = GroupFrom(message);
  ASSERT_TRUE(group.ok());
  EXPECT_FALSE(group->members[0].alive);
  EXPECT_TRUE(group->Unsuspected().empty());
}

TEST(GroupCodecTest, WithoutAHolderThereIsNoGrant) {
  flock::v1::WatchGroupResponse message = Message();
  message.clear_granted_address();
  EXPECT_FALSE(GroupFrom(message).value().grant);
  message = Message();
  message.clear_granted_epoch();
  EXPECT_FALSE(GroupFrom(message).value().grant);
}

TEST(GroupCodecTest, NamesTheFieldThatCannotBe) {
  using Change = std::function<void(flock::v1::WatchGroupResponse&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"epoch: ", [](auto& message) { message.set_epoch(-1); }},
      {"leader_address: ", [](auto& message) { message.set_leader_address("x"); }},
      {"granted_epoch: ", [](auto& message) { message.set_granted_epoch(-1); }},
      {"granted_address: ", [](auto& message) { message.set_granted_address("x"); }},
      {"quorum: ", [](auto& message) { message.set_quorum(-1); }},
      {"members[1].address: ", [](auto& message) { message.mutable_members(1)->clear_address(); }}};
  for (const auto& [field, change] : changes) {
    flock::v1::WatchGroupResponse message = Message();
    change(message);
    const absl::Status status = GroupFrom(message).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_EQ(std::string(status.message()).rfind(field, 0), 0U) << status;
  }
}

}  // namespace
}  // namespace radix::registry
