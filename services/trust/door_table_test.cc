#include "services/trust/door_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace radix::trust {
namespace {

using testing::HasSubstr;
using Kind = DoorOrder::Kind;

Door DoorOf(const std::string& id, const std::string& inst = "a1_0") {
  return {.id = id, .who = {"default", "a"}, .api = "a1", .inst = inst, .uid = 61184};
}

class DoorTableTest : public testing::Test {
 protected:
  // Has the table begin with these, all open.
  void Open(const std::vector<Door>& doors) {
    ASSERT_TRUE(table_.HandleSet(1, doors).ok());
    ASSERT_EQ(table_.PollOrder(now_)->kind, Kind::kSweep);
    table_.HandleSwept();
    for (const Door& door : doors) {
      const auto order = table_.PollOrder(now_);
      ASSERT_TRUE(order && order->kind == Kind::kOpen);
      EXPECT_EQ(order->door, door);
      table_.HandleOpened("/d/" + door.id);
    }
    ASSERT_FALSE(table_.PollOrder(now_));
  }

  Instant now_;
  DoorTable table_{1};
};

TEST_F(DoorTableTest, NothingIsDoneBeforeSomebodySaidWhatIsWanted) {
  EXPECT_FALSE(table_.PollOrder(now_));
  EXPECT_EQ(table_.number(), 0);
}

TEST_F(DoorTableTest, WhatAnEarlierReeveLeftIsSweptOnceButForWhatIsWanted) {
  ASSERT_TRUE(table_.HandleSet(1, {DoorOf("a")}).ok());
  const auto order = table_.PollOrder(now_);
  ASSERT_TRUE(order && order->kind == Kind::kSweep);
  ASSERT_EQ(order->wanted.size(), 1);
  EXPECT_EQ(order->wanted[0], DoorOf("a"));
  EXPECT_FALSE(table_.PollOrder(now_)) << "one at a time";
  table_.HandleSwept();
  EXPECT_EQ(table_.PollOrder(now_)->kind, Kind::kOpen);
}

TEST_F(DoorTableTest, ADoorThatStaysIsLeftAloneAndOneThatIsLeftOutIsClosed) {
  Open({DoorOf("a"), DoorOf("b")});
  ASSERT_TRUE(table_.HandleSet(2, {DoorOf("b"), DoorOf("c")}).ok());
  auto order = table_.PollOrder(now_);
  ASSERT_TRUE(order && order->kind == Kind::kClose);
  EXPECT_EQ(order->door.id, "a");
  table_.HandleClosed();
  order = table_.PollOrder(now_);
  ASSERT_TRUE(order && order->kind == Kind::kOpen);
  EXPECT_EQ(order->door.id, "c");
  table_.HandleOpened("/d/c");
  EXPECT_FALSE(table_.PollOrder(now_));
  EXPECT_EQ(table_.number(), 2);
  ASSERT_EQ(table_.Report().size(), 2);
  EXPECT_EQ(table_.Report()[0].folder, "/d/b");
}

TEST_F(DoorTableTest, ADoorForSomethingElseIsClosedBeforeItIsOpenedForThat) {
  Open({DoorOf("a")});
  ASSERT_TRUE(table_.HandleSet(2, {DoorOf("a", "a1_1")}).ok());
  EXPECT_EQ(table_.Report()[0].folder, "") << "what is open is for another";
  EXPECT_EQ(table_.PollOrder(now_)->kind, Kind::kClose);
  table_.HandleClosed();
  const auto order = table_.PollOrder(now_);
  ASSERT_TRUE(order && order->kind == Kind::kOpen);
  EXPECT_EQ(order->door.inst, "a1_1");
}

TEST_F(DoorTableTest, WhatWasLeftOutWhileItWasOpenedIsClosedThen) {
  ASSERT_TRUE(table_.HandleSet(1, {DoorOf("a")}).ok());
  table_.PollOrder(now_);
  table_.HandleSwept();
  table_.PollOrder(now_);
  ASSERT_TRUE(table_.HandleSet(2, {}).ok());
  EXPECT_FALSE(table_.PollOrder(now_));
  table_.HandleOpened("/d/a");
  EXPECT_EQ(table_.PollOrder(now_)->kind, Kind::kClose);
}

TEST_F(DoorTableTest, WhatCannotBeOpenedIsSaidAndTriedAgainLater) {
  ASSERT_TRUE(table_.HandleSet(1, {DoorOf("a")}).ok());
  table_.PollOrder(now_);
  table_.HandleSwept();
  Duration before{};
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(table_.PollOrder(now_)->kind, Kind::kOpen);
    table_.HandleOpenFailed(absl::AlreadyExistsError("is held"), now_);
    EXPECT_EQ(table_.Report()[0].error, "is held");
    EXPECT_FALSE(table_.PollOrder(now_));
    const Duration wait = table_.NextTimeout() - now_;
    EXPECT_GE(wait, std::min(before, DoorTable::kMostWait / 2));
    EXPECT_LE(wait, DoorTable::kMostWait);
    before = wait;
    now_ = table_.NextTimeout();
  }
  table_.PollOrder(now_);
  table_.HandleOpened("/d/a");
  EXPECT_EQ(table_.Report()[0].error, "");
  EXPECT_EQ(table_.Report()[0].folder, "/d/a");
  EXPECT_EQ(table_.NextTimeout(), Instant::max());
}

TEST_F(DoorTableTest, ASetThatCannotBeIsRefusedAndChangesNothing) {
  Open({DoorOf("a")});
  const auto twice = table_.HandleSet(2, {DoorOf("b"), DoorOf("b", "a1_1")});
  EXPECT_TRUE(absl::IsInvalidArgument(twice));
  EXPECT_THAT(std::string(twice.message()), HasSubstr("two have the id b"));
  std::vector<Door> many;
  for (std::size_t i = 0; i <= DoorTable::kMost; ++i) many.push_back(DoorOf(std::to_string(i)));
  EXPECT_TRUE(absl::IsInvalidArgument(table_.HandleSet(2, many)));
  EXPECT_EQ(table_.number(), 1);
  EXPECT_FALSE(table_.PollOrder(now_));
}

TEST_F(DoorTableTest, AsWhatAPluginWasRefusedIsKeptUntilItIsTaken) {
  Open({DoorOf("a")});
  const std::uint64_t before = table_.revision();
  table_.HandleRefused("a", {.horde = "default", .api = "a1", .inst = "a1_9"});
  EXPECT_GT(table_.revision(), before);
  const std::uint64_t after = table_.revision();
  table_.HandleRefused("a", {.horde = "default", .api = "a1", .inst = "a1_9"});
  EXPECT_EQ(table_.revision(), after) << "it is the same";
  ASSERT_TRUE(table_.Report()[0].refused);
  EXPECT_EQ(table_.Report()[0].refused->inst, "a1_9");
  table_.HandleTaken("a");
  EXPECT_FALSE(table_.Report()[0].refused);
  table_.HandleRefused("nobody", {});
}

}  // namespace
}  // namespace radix::trust
