#include "services/trust/review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/confab/random.h"

namespace radix::trust {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Rules Parsed(const std::string& text) {
  auto rules = Rules::Parse(text);
  EXPECT_TRUE(rules.ok()) << rules.status();
  return rules.ok() ? *std::move(rules) : Rules();
}

// Each as "line N: ... < line M: ...", the second of which decides.
std::vector<std::string> NeverReachedOf(const std::string& text) {
  const Rules rules = Parsed(text);
  std::vector<std::string> found;
  for (const NeverReached& each : FindNeverReached(rules)) {
    found.push_back(each.rule->Placed() + " < " + each.decides->Placed());
  }
  return found;
}

TEST(ReviewTest, ARuleBehindOneThatMatchesAllOfItIsNeverReached) {
  EXPECT_THAT(
      NeverReachedOf("call shop/* shop/cart2\n"
                     "deny call shop/front shop/cart2\n"
                     "call shop/*  shop/*\n"
                     "call shop/fr* shop/ca*\n"),
      ElementsAre("line 2: deny call shop/front shop/cart2 < line 1: call shop/* shop/cart2",
                  "line 4: call shop/fr* shop/ca* < line 3: call shop/* shop/*"));
}

TEST(ReviewTest, ARuleBehindThoseThatMatchOnlySomeOfItIsReached) {
  EXPECT_THAT(NeverReachedOf("call shop/front shop/cart2\n"
                             "call shop/fr*   shop/cart2\n"
                             "serve shop/*    shop/*\n"
                             "call shop/*     shop/ca*\n"
                             "call shop/*     shop/*\n"
                             "call sho*/*     shop/*\n"
                             "call */*        */*\n"),
              IsEmpty());
}

TEST(ReviewTest, WhatIsBuiltInComesFirst) {
  EXPECT_THAT(NeverReachedOf("serve shop/a radix/steward1\ncall shop/a radix/ste*\n"),
              ElementsAre("line 1: serve shop/a radix/steward1 < built in: deny serve */* radix/*",
                          "line 2: call shop/a radix/ste* < built in: deny call */* radix/*"));
}

// Against the rules themselves: of parties that a rule matches, none is decided by it.
TEST(ReviewTest, ANeverReachedRuleDecidesNothing) {
  const std::vector<std::string> parts = {"a", "b", "ab", "a*", "ab*", "*"};
  const std::vector<std::string> names = {"a", "b", "ab", "abc", "ac", "c"};
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const auto part = [&] { return parts[random.Below(parts.size())]; };
    std::string text;
    for (int line = 0; line < 8; ++line) {
      text += random.Chance(0.3) ? "deny call " : "call ";
      text += part() + "/" + part() + " " + part() + "/" + part() + "\n";
    }
    const Rules rules = Parsed(text);
    std::set<const Rule*> never;
    for (const NeverReached& each : FindNeverReached(rules)) never.insert(each.rule);
    found += never.size();
    for (int round = 0; round < 500; ++round) {
      const auto name = [&] { return names[random.Below(names.size())]; };
      const Party subject{name(), name()};
      const Party api{name(), name()};
      const Verdict verdict = rules.Decide(Verb::kCall, subject, api);
      ASSERT_FALSE(never.contains(verdict.rule)) << verdict.Reason() << " of\n" << text;
    }
  }
  EXPECT_GT(found, 50U) << "it is of no use when there are none";
}

TEST(ReviewTest, WhoIsNotKnownIsNamedWithItsLine) {
  KnownParties known = KnownParties::Basic();
  known.subjects.insert({"shop", "front"});
  known.apis.insert({"shop", "cart2"});
  const Rules rules = Parsed(
      "# the shop\n"
      "call shop/front shop/cart2\n"
      "call shop/frnt  shop/cart2\n"
      "call shop/front shop/cart3\n"
      "serve shop/f*   shop/*\n"
      "call shop/x*    shap/*\n"
      "call default/*  */*\n"
      "call radix/healthminder shop/cart2\n"
      "deny call shop/front radix/reeve1\n"
      "deny call shop/front radix/reeve7\n"
      "call default/x* shop/cart2\n"
      "call default/operator shop/cart2\n");
  EXPECT_THAT(FindUnknown(rules, known), ElementsAre(UnknownParty{3, "shop/frnt", false, true},
                                                     UnknownParty{4, "shop/cart3", true, true},
                                                     UnknownParty{6, "shop/x*", false, false},
                                                     UnknownParty{6, "shap/*", true, false},
                                                     UnknownParty{10, "radix/reeve7", true, true},
                                                     UnknownParty{11, "default/x*", false, false}));
}

TEST(ReviewTest, AnApiIsNoCallerAndACallerNoApi) {
  KnownParties known;
  known.subjects.insert({"shop", "front"});
  known.apis.insert({"shop", "cart2"});
  EXPECT_THAT(FindUnknown(Parsed("call shop/cart2 shop/front\n"), known),
              ElementsAre(UnknownParty{1, "shop/cart2", false, true},
                          UnknownParty{1, "shop/front", true, true}));
}

}  // namespace
}  // namespace radix::trust
