#include "clients/cli/rules_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "services/confab/random.h"

namespace radix::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> DiffOf(const std::string& before, const std::string& after) {
  std::vector<std::string> lines;
  for (const RuleChange& change : Diff(*trust::Rules::Parse(before), *trust::Rules::Parse(after))) {
    lines.push_back(change.ToString());
  }
  return lines;
}

TEST(RulesDiffTest, SaysWhatComesAndGoesWithItsLine) {
  EXPECT_THAT(DiffOf("call a/b c/d\ncall a/b c/e\ncall a/b c/f\n",
                     "# why\ncall a/b c/d\ndeny call a/b c/e\ncall a/b c/f\nserve a/b c/g\n"),
              ElementsAre("- line 2: call a/b c/e", "+ line 3: deny call a/b c/e",
                          "+ line 5: serve a/b c/g"));
  EXPECT_THAT(DiffOf("", "call a/b c/d\n"), ElementsAre("+ line 1: call a/b c/d"));
  EXPECT_THAT(DiffOf("call a/b c/d\n", "# none\n"), ElementsAre("- line 1: call a/b c/d"));
}

TEST(RulesDiffTest, CommentsAndSpacesAreNoDifference) {
  EXPECT_THAT(DiffOf("call a/b c/d\n", "# why\n\n  call   a/b c/d # so\n"), IsEmpty());
}

TEST(RulesDiffTest, ARuleThatMovedIsADifference) {
  EXPECT_THAT(DiffOf("call a/b c/d\ndeny call */* c/d\n", "deny call */* c/d\ncall a/b c/d\n"),
              ElementsAre("- line 1: call a/b c/d", "+ line 2: call a/b c/d"));
}

// Whoever carries out what it says comes from one list to the other.
TEST(RulesDiffTest, MakesTheOneOfTheOther) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const auto text = [&] {
      std::string lines;
      const std::uint64_t count = random.Below(12);
      for (std::uint64_t i = 0; i < count; ++i) {
        lines += "call a/b c/" + std::string(1, static_cast<char>('a' + random.Below(5))) + "\n";
      }
      return lines;
    };
    const auto before = *trust::Rules::Parse(text());
    const auto after = *trust::Rules::Parse(text());
    std::map<int, std::string> rules;  // of before, by line
    for (const trust::Rule& rule : before.list()) {
      if (rule.line > 0) rules[rule.line] = rule.ToString();
    }
    std::map<int, std::string> added;
    for (const RuleChange& change : Diff(before, after)) {
      if (change.added) {
        added[change.rule.line] = change.rule.ToString();
      } else {
        ASSERT_EQ(rules.erase(change.rule.line), 1U) << "seed " << seed;
      }
    }
    // What stays fills the lines that nothing was added at.
    auto stays = rules.begin();
    for (const trust::Rule& rule : after.list()) {
      if (rule.line == 0) continue;
      if (const auto found = added.find(rule.line); found != added.end()) {
        ASSERT_EQ(found->second, rule.ToString()) << "seed " << seed;
        continue;
      }
      ASSERT_NE(stays, rules.end()) << "seed " << seed;
      ASSERT_EQ((stays++)->second, rule.ToString()) << "seed " << seed;
    }
    ASSERT_EQ(stays, rules.end()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace radix::cli
