#include "services/trust/current_rules_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace radix::trust {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Rules Parsed(const std::string& text) { return *Rules::Parse(text); }

TEST(CurrentRulesTest, NobodyHasThemBeforeTheyAreSaid) {
  CurrentRules current;
  std::vector<std::shared_ptr<const Rules>> told;
  current.OnChange([&](const auto& rules) { told.push_back(rules); });
  EXPECT_EQ(current.rules(), nullptr);
  EXPECT_THAT(told, IsEmpty());
  current.SetRules(Rules());
  EXPECT_THAT(told, ElementsAre(current.rules()));
  EXPECT_EQ(*current.rules(), Rules());
}

TEST(CurrentRulesTest, WhoeverWaitsIsToldOfEachOnceAndWhoComesLaterOfThePresentOnes) {
  CurrentRules current;
  std::vector<std::size_t> first;
  std::vector<std::size_t> second;
  const std::size_t built_in = Rules().list().size();
  current.OnChange([&](const auto& rules) { first.push_back(rules->list().size() - built_in); });
  EXPECT_TRUE(current.SetRules(Parsed("call a/b c/d\n")));
  EXPECT_FALSE(current.SetRules(Parsed("call a/b c/d\n")));
  const auto before = current.rules();
  current.SetRules(Parsed("call a/b c/d\ncall a/b c/e\n"));
  EXPECT_EQ(before->list().size() - built_in, 1U) << "what somebody holds does not change";
  current.OnChange([&](const auto& rules) { second.push_back(rules->list().size() - built_in); });
  current.SetRules(Parsed("# none\n"));
  EXPECT_THAT(first, ElementsAre(1, 2, 0));
  EXPECT_THAT(second, ElementsAre(2, 0));
}

TEST(CurrentRulesTest, ReadersSeeThemWholeWhileOthersTakeTheirPlace) {
  CurrentRules current;
  current.SetRules(Parsed("call a/b c/d0\n"));
  std::atomic<bool> over = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!over) {
        const auto rules = current.rules();
        ASSERT_EQ(rules->list().back().line,
                  static_cast<int>(rules->list().size() - Rules().list().size()));
      }
    });
  }
  for (int round = 1; round <= 200; ++round) {
    std::string text;
    for (int line = 0; line <= round % 7; ++line)
      absl::StrAppend(&text, "call a/b c/d", line, "\n");
    current.SetRules(Parsed(text));
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace radix::trust
