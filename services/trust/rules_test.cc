#include "services/trust/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace radix::trust {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Party Of(const std::string& text) { return *Party::Parse(text); }

Rules Parsed(const std::string& text) {
  auto rules = Rules::Parse(text);
  EXPECT_TRUE(rules.ok()) << rules.status();
  return rules.ok() ? *std::move(rules) : Rules();
}

std::string ErrorOf(const std::string& text) {
  const auto rules = Rules::Parse(text);
  return rules.ok() ? "" : std::string(rules.status().message());
}

TEST(RulesTest, WhatNoRuleNamesIsDenied) {
  const Rules rules = Parsed("call default/front default/cart2\n");
  const Verdict verdict = rules.Decide(Verb::kCall, Of("default/back"), Of("default/cart2"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.Reason(), "no rule matches");
}

TEST(RulesTest, TheFirstThatMatchesDecides) {
  const Rules rules = Parsed(
      "# who may see the cart\n"
      "call shop/front shop/cart2\n"
      "deny call */* shop/cart2   # nobody else\n"
      "\n"
      "call shop/* shop/*\n");
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("shop/front"), Of("shop/cart2")).allowed);
  const Verdict other = rules.Decide(Verb::kCall, Of("shop/stock"), Of("shop/cart2"));
  EXPECT_FALSE(other.allowed);
  EXPECT_EQ(other.Reason(), "line 3: deny call */* shop/cart2");
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("shop/stock"), Of("shop/stock1")).allowed);
  EXPECT_FALSE(rules.Decide(Verb::kServe, Of("shop/front"), Of("shop/cart2")).allowed);
}

TEST(RulesTest, ARuleOfCallingSaysNothingAboutServing) {
  const Rules rules = Parsed("call default/* default/*\n");
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("default/a"), Of("default/b")).allowed);
  EXPECT_FALSE(rules.Decide(Verb::kServe, Of("default/a"), Of("default/b")).allowed);
}

TEST(RulesTest, AStarStandsForTheEndOfAName) {
  const Rules rules = Parsed("call shop*/pay* default/ledger*\n");
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("shop-2/payer"), Of("default/ledger3")).allowed);
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("shop/pay"), Of("default/ledger")).allowed);
  EXPECT_FALSE(rules.Decide(Verb::kCall, Of("sho/pay"), Of("default/ledger")).allowed);
  EXPECT_FALSE(rules.Decide(Verb::kCall, Of("shop/repay"), Of("default/ledger")).allowed);
  EXPECT_FALSE(rules.Decide(Verb::kCall, Of("shop/pay"), Of("other/ledger")).allowed);
}

TEST(RulesTest, BasicServicesWorkWithoutAnyRule) {
  const Rules rules;
  const Verdict verdict = rules.Decide(Verb::kCall, Of("radix/reeve"), Of("radix/steward1"));
  EXPECT_TRUE(verdict.allowed);
  EXPECT_THAT(verdict.Reason(), StartsWith("built in: call radix/reeve"));
  EXPECT_FALSE(rules.Decide(Verb::kCall, Of("radix/pastiche"), Of("radix/steward1")).allowed);
  EXPECT_FALSE(rules.Decide(Verb::kCall, Of("default/reeve"), Of("radix/steward1")).allowed);
}

TEST(RulesTest, NobodyBecomesABasicServiceByARule) {
  const Rules rules = Parsed("serve */* */*\n");
  EXPECT_TRUE(rules.Decide(Verb::kServe, Of("default/a"), Of("default/b")).allowed);
  const Verdict verdict = rules.Decide(Verb::kServe, Of("default/a"), Of("radix/steward1"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.Reason(), "built in: deny serve */* radix/*");
  EXPECT_FALSE(rules.Decide(Verb::kServe, Of("radix/reeve"), Of("radix/steward1")).allowed);
}

TEST(RulesTest, NobodyCallsABasicServiceByARule) {
  const Rules rules = Parsed("call */* */*\n");
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("radix/reeve"), Of("radix/steward1")).allowed);
  EXPECT_TRUE(rules.Decide(Verb::kCall, Of("radix/reeve"), Of("shop/cart2")).allowed);
  const Verdict verdict = rules.Decide(Verb::kCall, Of("default/a"), Of("radix/proctor1"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.Reason(), "built in: deny call */* radix/*");
}

TEST(RulesTest, ADecisionIsOneTextUnderOneKey) {
  const auto rules = Rules::FromDecision("operators", "# why\ncall a/b c/d\n");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(*rules, Parsed("# why\ncall a/b c/d\n"));
  EXPECT_NE(*rules, Parsed("call a/b c/d\n")) << "what it says names other lines";
  const auto error = [](const std::string& key, const std::string& text) {
    return std::string(Rules::FromDecision(key, text).status().message());
  };
  EXPECT_THAT(error("others", "call a/b c/d\n"), StartsWith("rules: the key must be 'operators'"));
  EXPECT_THAT(error("operators", ""), StartsWith("rules: the text is empty"));
  EXPECT_THAT(error("operators", "\ncall a/b\n"), StartsWith("rules: line 2: is not"));
}

TEST(RulesTest, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_THAT(ErrorOf("call a/b c/d\nallow a/b c/d\n"), StartsWith("line 2: is not '[deny] call"));
  EXPECT_THAT(ErrorOf("deny\n"), StartsWith("line 1: is not"));
  EXPECT_THAT(ErrorOf("call a/b\n"), StartsWith("line 1: is not"));
  EXPECT_THAT(ErrorOf("call a/b c/d e/f\n"), StartsWith("line 1: is not"));
  EXPECT_THAT(ErrorOf("\n\ncall ab c/d\n"), StartsWith("line 3: 'ab' is not horde/service"));
  EXPECT_THAT(ErrorOf("call A/b c/d\n"), HasSubstr("'A/b': the horde is not 1 to 63"));
  EXPECT_THAT(ErrorOf("call a/*b c/d\n"), HasSubstr("'a/*b': the service is not 1 to 63"));
  EXPECT_THAT(ErrorOf("call a/b/c c/d\n"), HasSubstr("'a/b/c': the service"));
  EXPECT_THAT(ErrorOf("call a/b c/" + std::string(64, 'x')), HasSubstr("the service is not"));
}

TEST(RulesTest, ControlBytesAreNotRepeatedInMessages) {
  const std::string error = ErrorOf(std::string("call a/\x1b[2J\0z c/d", 18));
  EXPECT_THAT(error, HasSubstr("\\x1b"));
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
}

TEST(RulesTest, TooMuchIsRefused) {
  EXPECT_THAT(ErrorOf(std::string(Rules::kTextMax + 1, '#')), HasSubstr("is longer than"));
  std::string many;
  for (std::size_t i = 0; i <= Rules::kRulesMax; ++i) many += "call a/b c/d\n";
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 2048 rules"));
}

TEST(RulesTest, AnEmptyTextIsNoFault) {
  EXPECT_EQ(Parsed("").list().size(), Rules().list().size());
  EXPECT_EQ(Parsed(" \t\n# only words\r\n").list().size(), Rules().list().size());
}

TEST(RulesTest, ARuleIsWrittenAsItIsRead) {
  const Rules rules = Parsed("  deny   call\tshop/*  shop/cart2 # why\n");
  EXPECT_EQ(rules.list().back().ToString(), "deny call shop/* shop/cart2");
  EXPECT_EQ(rules.list().back().line, 1);
}

TEST(RulesTest, AGraceIsSaidOnce) {
  EXPECT_EQ(Parsed("").grace(), 60s);
  EXPECT_EQ(Parsed("call a/b c/d\ngrace 5  # short\n").grace(), 5s);
  EXPECT_EQ(Parsed("grace never\n").grace(), std::nullopt);
  EXPECT_NE(Parsed("grace 5\n"), Parsed("grace 6\n"));
  const auto refused = [](const char* text) {
    return std::string(Rules::Parse(text).status().message());
  };
  EXPECT_EQ(refused("\ngrace\n"),
            "line 2: is not 'grace SECONDS', 1 to 86400 of them, or 'grace never'");
  for (const char* bad : {"grace 0", "grace -1", "grace 86401", "grace 1s", "grace 1 2",
                          "grace 99999999999999999999"}) {
    EXPECT_NE(refused(bad), "") << bad;
  }
  EXPECT_EQ(refused("grace 5\ngrace 5\n"), "line 2: line 1 says a grace already");
}

}  // namespace
}  // namespace radix::trust
