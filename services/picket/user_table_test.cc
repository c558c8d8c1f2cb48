#include "services/picket/user_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "services/confab/plugin_user.h"

namespace radix::picket {
namespace {

bool None(std::uint32_t /*uid*/) { return false; }

TEST(UserTableTest, EachServiceHasANumberOfItsOwnAndKeepsIt) {
  UserTable table("/var/lib/radix");
  std::set<std::uint32_t> given;
  for (int i = 0; i < 1000; ++i) {
    const auto uid = table.For("default", std::to_string(i), None);
    ASSERT_TRUE(uid && IsPluginUser(*uid));
    EXPECT_TRUE(given.insert(*uid).second);
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(given.contains(*table.For("default", std::to_string(i), None)));
  }
  EXPECT_NE(table.For("shop", "1", None), table.For("default", "1", None));
}

TEST(UserTableTest, APicketThatIsStartedAgainGivesTheSame) {
  UserTable before("/a");
  UserTable after("/a");
  UserTable elsewhere("/b");
  EXPECT_EQ(before.For("default", "galumph", None), after.For("default", "galumph", None));
  EXPECT_NE(before.For("default", "galumph", None), elsewhere.For("default", "galumph", None));
}

TEST(UserTableTest, WhatSomebodyElseHasIsLeftToThem) {
  const std::uint32_t first = *UserTable("/a").For("default", "galumph", None);
  UserTable table("/a");
  const auto uid =
      table.For("default", "galumph", [first](std::uint32_t each) { return each == first; });
  ASSERT_TRUE(uid);
  EXPECT_NE(*uid, first);
  EXPECT_EQ(table.For("default", "galumph", None), uid) << "and stays";
}

TEST(UserTableTest, WhatRunsAlreadyHasPrecedence) {
  const std::uint32_t first = *UserTable("/a").For("default", "galumph", None);
  UserTable table("/a");
  table.Learn("default", "other", first);
  EXPECT_NE(table.For("default", "galumph", None), first);
  EXPECT_EQ(table.For("default", "other", None), first);
  table.Learn("default", "third", first);
  table.Learn("default", "third", 0);
  table.Learn("default", "third", 1000);
  const auto third = table.For("default", "third", None);
  EXPECT_TRUE(third && IsPluginUser(*third) && *third != first);
}

TEST(UserTableTest, WhenAllAreTakenNobodyGetsOne) {
  UserTable table("/a");
  EXPECT_FALSE(table.For("default", "galumph", [](std::uint32_t) { return true; }));
}

}  // namespace
}  // namespace radix::picket
