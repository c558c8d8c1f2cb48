#include "services/muster/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::muster {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Entry Make(std::string horde, std::string api, std::string inst, std::string file,
           std::int64_t time) {
  return Entry{{std::move(horde), std::move(api), std::move(inst), std::move(file), ""}, time};
}

std::vector<std::string> Files(const Page& page) {
  std::vector<std::string> files;
  for (const Entry& entry : page.entries) files.push_back(entry.filename);
  return files;
}

TEST(InventoryTest, FindsByAnyOfTheFirstThreeNewestFirstWithinOneInst) {
  Inventory inventory;
  ASSERT_TRUE(inventory.Put(Make("b", "ntp2", "ntp2_3", "f1", 10)).ok());
  ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "f2", 20)).ok());
  ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "f3", 30)).ok());
  ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_2", "f4", 5)).ok());
  ASSERT_TRUE(inventory.Put(Make("a", "web", "web_1", "f5", 1)).ok());
  EXPECT_THAT(Files(*inventory.Search({})), ElementsAre("f4", "f3", "f2", "f5", "f1"));
  EXPECT_THAT(Files(*inventory.Search({.horde = "b"})), ElementsAre("f1"));
  EXPECT_THAT(Files(*inventory.Search({.api = "ntp2"})), ElementsAre("f4", "f3", "f2", "f1"));
  EXPECT_THAT(Files(*inventory.Search({.inst = "ntp2_3"})), ElementsAre("f3", "f2", "f1"));
  EXPECT_THAT(Files(*inventory.Search({.horde = "a", .api = "web", .inst = "ntp2_3"})),
              ElementsAre());
}

TEST(InventoryTest, AnEqualEntryReplacesAndMovesUp) {
  Inventory inventory;
  ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "f1", 10)).ok());
  ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "f2", 20)).ok());
  ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "f1", 30)).ok());
  EXPECT_EQ(inventory.size(), 2U);
  EXPECT_THAT(Files(*inventory.Search({})), ElementsAre("f1", "f2"));
}

TEST(InventoryTest, PagesNeitherRepeatNorSkipWhileEntriesAreAdded) {
  Inventory inventory;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "f" + std::to_string(i), i)).ok());
  }
  Query query{.page_size = 3};
  std::vector<std::string> all;
  do {
    const auto page = inventory.Search(query);
    ASSERT_TRUE(page.ok());
    EXPECT_LE(page->entries.size(), 3U);
    for (const std::string& file : Files(*page)) all.push_back(file);
    query.page_token = page->next_page_token;
    // Newer than everything: on a page that has been read already.
    ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "new", 100)).ok());
  } while (!query.page_token.empty());
  EXPECT_THAT(all, ElementsAre("f9", "f8", "f7", "f6", "f5", "f4", "f3", "f2", "f1", "f0"));
}

TEST(InventoryTest, RefusesATokenThatIsNone) {
  const Inventory inventory;
  for (const std::string& token :
       {std::string("x"), std::string("!!"), std::string("NTpheA"), std::string(1 << 16, 'A'),
        std::string("OTk5OTk5OTk5OTk5OTk5OTk5OTo")}) {
    const auto page = inventory.Search({.page_token = token});
    EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument) << token.substr(0, 40);
    EXPECT_THAT(std::string(page.status().message()), HasSubstr("page_token"));
  }
}

TEST(InventoryTest, KeysOfDifferentEntriesDiffer) {
  const EntryId a{"a", "bc", "d", "f", ""};
  const EntryId b{"ab", "c", "d", "f", ""};
  const EntryId c{"a", "bc", "d", "", "f"};
  EXPECT_NE(a.Key(), b.Key());
  EXPECT_NE(a.Key(), c.Key());
}

TEST(InventoryTest, IsBounded) {
  Inventory inventory;
  for (std::size_t i = 0; i < Inventory::kEntriesMax; ++i) {
    ASSERT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", std::to_string(i), 1)).ok());
  }
  EXPECT_EQ(inventory.Put(Make("a", "ntp2", "ntp2_3", "more", 1)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(inventory.Put(Make("a", "ntp2", "ntp2_3", "7", 2)).ok());
}

}  // namespace
}  // namespace radix::muster
