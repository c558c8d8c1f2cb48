#include "services/steward/group_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::steward {
namespace {

using registry::Delta;
using registry::Instance;
using registry::Member;
using registry::Status;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kStart{1000s};

Instance Make(int node, const std::string& inst, Status status = Status::kServing) {
  const std::string n = std::to_string(node);
  return Instance{{"default", "ntp2", inst, "n" + n, "127.0.0." + n + ":1"}, status};
}

NodeHello Hello(int node, const std::string& boot, std::vector<Instance> instances) {
  const std::string n = std::to_string(node);
  return {"n" + n,
          *IpAddress::Parse("127.0.0." + n),
          boot,
          {.origin = "reeve-" + n, .snapshot = true, .changes = std::move(instances)}};
}

Member Alive(int node, const std::string& boot, bool alive = true) {
  return {.address = *IpAddress::Parse("127.0.0." + std::to_string(node)),
          .boot = boot,
          .alive = alive};
}

std::vector<std::string> Insts(const GroupTable& table) {
  std::vector<std::string> insts;
  for (const Instance& instance : table.table().List()) {
    insts.push_back(instance.node + "/" + instance.inst);
  }
  return insts;
}

class GroupTableTest : public testing::Test {
 protected:
  void Connect(StreamId stream, const NodeHello& hello) {
    superseded_.reset();
    ASSERT_TRUE(table_.HandleHello(stream, hello, now_, superseded_).ok());
  }

  GroupTable table_{10};
  Instant now_ = kStart;
  std::optional<StreamId> superseded_;
  bool resend_ = false;
};

TEST_F(GroupTableTest, MergesNodesAndAppliesTheirChanges) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  Connect(2, Hello(2, "b", {Make(2, "ntp2_3")}));
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3", "n2/ntp2_3"));
  Delta delta{.origin = "reeve-1",
              .changes = {Make(1, "ntp2_4"), Make(1, "ntp2_3", Status::kDead)}};
  ASSERT_TRUE(table_.HandleDelta(1, delta, now_, resend_).ok());
  EXPECT_FALSE(resend_);
  EXPECT_THAT(Insts(table_), ElementsAre("n2/ntp2_3", "n1/ntp2_4"));
  EXPECT_THAT(table_.ConnectedNodes(), ElementsAre("n1", "n2"));
}

TEST_F(GroupTableTest, ANewerStreamReplacesTheNodesTableAndTheOlderIsIgnored) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  Connect(2, Hello(1, "a", {Make(1, "ntp2_4")}));
  EXPECT_EQ(superseded_, 1U);
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_4"));
  Delta delta{.origin = "reeve-1", .changes = {Make(1, "ntp2_5")}};
  ASSERT_TRUE(table_.HandleDelta(1, delta, now_, resend_).ok());
  table_.HandleStreamEnd(1, kStart);
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_4"));
  EXPECT_EQ(table_.NextTimeout(), kStart + 15s) << "of the newer one";
}

TEST_F(GroupTableTest, AsksForTheWholeTableWhenTheDigestOrTheOriginDiffers) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  Delta delta{.origin = "reeve-1", .digest = registry::HashOf(Make(1, "ntp2_3"))};
  ASSERT_TRUE(table_.HandleDelta(1, delta, now_, resend_).ok());
  EXPECT_FALSE(resend_);
  delta.digest += 1;
  ASSERT_TRUE(table_.HandleDelta(1, delta, now_, resend_).ok());
  EXPECT_TRUE(resend_);
  Delta whole{.origin = "reeve-1x",
              .snapshot = true,
              .changes = {Make(1, "ntp2_7")},
              .digest = registry::HashOf(Make(1, "ntp2_7"))};
  ASSERT_TRUE(table_.HandleDelta(1, whole, now_, resend_).ok());
  EXPECT_FALSE(resend_);
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_7"));
  ASSERT_TRUE(table_.HandleDelta(1, {.origin = "reeve-1"}, now_, resend_).ok());
  EXPECT_TRUE(resend_);
}

TEST_F(GroupTableTest, AStreamThatBringsNothingForFifteenSecondsIsOver) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  EXPECT_EQ(table_.NextTimeout(), kStart + 15s);
  now_ += 10s;
  ASSERT_TRUE(table_.HandleDelta(1, {.origin = "reeve-1"}, now_, resend_).ok());
  EXPECT_THAT(table_.HandleTimeout(kStart + 25s - 1ns), IsEmpty());
  EXPECT_THAT(table_.HandleTimeout(kStart + 25s), ElementsAre(1));
  EXPECT_THAT(table_.ConnectedNodes(), IsEmpty());
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3")) << "its entries stay, as without a stream";
  EXPECT_EQ(table_.NextTimeout(), kStart + 25s + 60s);
  ASSERT_TRUE(
      table_.HandleDelta(1, {.origin = "reeve-1", .changes = {Make(1, "late")}}, now_, resend_)
          .ok());
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3"));
}

TEST_F(GroupTableTest, KeepsANodesEntriesWithoutAStreamForAMinute) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  table_.HandleStreamEnd(1, kStart);
  EXPECT_EQ(table_.NextTimeout(), kStart + 60s);
  table_.HandleMembers({Alive(1, "a")});
  table_.HandleTimeout(kStart + 60s - 1ns);
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3"));
  table_.HandleTimeout(kStart + 60s);
  EXPECT_THAT(Insts(table_), IsEmpty());
}

TEST_F(GroupTableTest, HidesANodeThatFlockSaysIsDeadAndShowsItShouldFlockChangeItsMind) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  table_.HandleMembers({Alive(1, "a", false)});
  EXPECT_THAT(Insts(table_), IsEmpty());
  EXPECT_EQ(table_.table().digest(), 0U);
  table_.HandleMembers({Alive(1, "a")});
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3"));
  table_.HandleStreamEnd(1, kStart);
  table_.HandleMembers({});  // forgotten, and no stream
  EXPECT_THAT(Insts(table_), IsEmpty());
}

TEST_F(GroupTableTest, ARebootEndsTheEntriesOfTheBootBefore) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  table_.HandleMembers({Alive(1, "a")});
  table_.HandleStreamEnd(1, kStart);
  table_.HandleMembers({Alive(1, "a")});
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3"));
  table_.HandleMembers({Alive(1, "b")});
  EXPECT_THAT(Insts(table_), IsEmpty());
}

TEST_F(GroupTableTest, AHalfOpenStreamDoesNotBringBackWhatARebootEnded) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  table_.HandleMembers({Alive(1, "a")});
  table_.HandleMembers({Alive(1, "a", false)});
  table_.HandleMembers({Alive(1, "b")});
  EXPECT_THAT(Insts(table_), IsEmpty());
  Connect(2, Hello(1, "b", {Make(1, "ntp2_4")}));
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_4"));
}

TEST_F(GroupTableTest, ARestartOfFlockAloneEndsNothing) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  table_.HandleMembers({Alive(1, "a")});
  table_.HandleMembers({Alive(1, "b")});
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_3"));
}

TEST_F(GroupTableTest, KeepsTheEntriesOfABootThatFlockHasNotSeenYet) {
  Connect(1, Hello(1, "a", {Make(1, "ntp2_3")}));
  table_.HandleMembers({Alive(1, "a")});
  Connect(2, Hello(1, "b", {Make(1, "ntp2_4")}));
  table_.HandleMembers({Alive(1, "a", false)});
  EXPECT_THAT(Insts(table_), ElementsAre("n1/ntp2_4"));
}

TEST_F(GroupTableTest, IsBounded) {
  std::vector<Instance> many;
  for (std::size_t i = 0; i <= GroupTable::kInstancesPerNodeMax; ++i) {
    many.push_back(Make(1, "ntp2_" + std::to_string(i)));
  }
  EXPECT_EQ(table_.HandleHello(1, Hello(1, "a", many), now_, superseded_).code(),
            absl::StatusCode::kResourceExhausted);
  many.pop_back();
  Connect(1, Hello(1, "a", many));
  EXPECT_EQ(
      table_.HandleDelta(1, {.origin = "reeve-1", .changes = {Make(1, "more")}}, now_, resend_)
          .code(),
      absl::StatusCode::kResourceExhausted);
  for (int node = 2; node <= 10; ++node) Connect(static_cast<StreamId>(node), Hello(node, "a", {}));
  EXPECT_EQ(table_.HandleHello(11, Hello(11, "a", {}), now_, superseded_).code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace radix::steward
