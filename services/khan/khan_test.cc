#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/khan/evaluate.h"
#include "services/khan/program.h"

namespace radix::khan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

const std::set<std::string> kServices = {"a", "b", "galumph", "poot", "s3", "segp"};

// Three nodes with label KV, five without; kv0 leads.
Situation EightNodes() {
  Situation situation;
  situation.nodes = {{"kv0", {"KV", "Leader"}}, {"kv1", {"KV"}}, {"kv2", {"KV", "rack=7"}}};
  for (const char* name : {"node0", "node1", "node2", "node3", "node9"}) situation.nodes[name];
  return situation;
}

std::map<std::string, Placement> Evaluated(const std::string& text, const Situation& situation) {
  absl::StatusOr<Program> program = Program::Parse(text, kServices);
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? Evaluate(*program, situation) : std::map<std::string, Placement>();
}

std::string ErrorOf(const std::string& text) {
  absl::StatusOr<Program> program = Program::Parse(text, kServices);
  return program.ok() ? "" : std::string(program.status().message());
}

// The nodes of the set that `text` stands for.
std::set<std::string> NodesOf(const std::string& text) {
  const auto placed = Evaluated("pick(a, size(ALL), " + text + ")", EightNodes());
  std::set<std::string> result;
  for (const auto& [node, count] : placed.at("a").nodes) result.insert(node);
  return result;
}

std::int64_t SumOf(const Placement& placement) {
  std::int64_t total = 0;
  for (const auto& [node, count] : placement.nodes) total += count;
  return total;
}

TEST(Khan, AllIsEveryNode) { EXPECT_EQ(NodesOf("ALL").size(), 8U); }

TEST(Khan, LabelComparesTheWholeText) {
  EXPECT_THAT(NodesOf("LABEL(KV)"), ElementsAre("kv0", "kv1", "kv2"));
  EXPECT_THAT(NodesOf("LABEL( rack=7 )"), ElementsAre("kv2"));
  EXPECT_TRUE(NodesOf("LABEL(rack)").empty());
}

TEST(Khan, NotBindsTightestThenAndThenOr) {
  EXPECT_THAT(NodesOf("!LABEL(Leader) & LABEL(KV)"), ElementsAre("kv1", "kv2"));
  EXPECT_THAT(NodesOf("LABEL(Leader) | LABEL(KV) & LABEL(rack=7)"), ElementsAre("kv0", "kv2"));
  EXPECT_THAT(NodesOf("(LABEL(Leader) | LABEL(KV)) & LABEL(rack=7)"), ElementsAre("kv2"));
  EXPECT_EQ(NodesOf("!(LABEL(Leader) & LABEL(KV))").size(), 7U);
  EXPECT_THAT(NodesOf("!!LABEL(Leader)"), ElementsAre("kv0"));
}

TEST(Khan, APickStandsForTheNodesItChose) {
  auto placed = Evaluated(
      "sp := pick(segp, 5, ALL) s3 := pick(s3, 3, !LABEL(KV)) pick(poot, 2, s3&!sp | s3&sp)",
      EightNodes());
  EXPECT_EQ(SumOf(placed["segp"]), 5);
  EXPECT_EQ(SumOf(placed["poot"]), 2);
  for (const auto& [node, count] : placed["poot"].nodes) {
    EXPECT_EQ(placed["s3"].nodes.count(node), 1U) << node;
  }
  for (const auto& [node, count] : placed["s3"].nodes) EXPECT_THAT(node, StartsWith("node"));
}

TEST(Khan, TheOrderOfStatementsDoesNotMatter) {
  const auto forward =
      Evaluated("x := LABEL(KV)\ny := pick(a, 2, x)\npick(b, size(y), !y)", EightNodes());
  const auto backward =
      Evaluated("pick(b, size(y), !y)\ny := pick(a, 2, x)\nx := LABEL(KV)", EightNodes());
  EXPECT_EQ(forward.at("a").nodes, backward.at("a").nodes);
  EXPECT_EQ(forward.at("b").nodes, backward.at("b").nodes);
  EXPECT_EQ(SumOf(forward.at("b")), 2);
}

TEST(Khan, CountsAreExactFractionsRoundedUp) {
  const auto want = [](const std::string& number) {
    return Evaluated("pick(a, " + number + ", ALL)", EightNodes())["a"].want;
  };
  EXPECT_EQ(want("7/2"), 4);
  EXPECT_EQ(want("1/3 + 1/3 + 1/3"), 1);
  EXPECT_EQ(want("2 + 3 * 4"), 14);
  EXPECT_EQ(want("(2 + 3) * 4"), 20);
  EXPECT_EQ(want("10 - 3 - 2"), 5);
  EXPECT_EQ(want("size(ALL) / 2 + 1"), 5);
  EXPECT_EQ(want("size(LABEL(KV))/2"), 2);
  EXPECT_EQ(want("1 - size(ALL)"), 0);
  EXPECT_EQ(want("0"), 0);
}

TEST(Khan, WhatCannotBePlacedIsAProblemAndNoError) {
  auto placed =
      Evaluated("pick(a, 2, LABEL(none)) pick(b, 1 / size(LABEL(none)), ALL)", EightNodes());
  EXPECT_EQ(placed["a"].want, 2);
  EXPECT_TRUE(placed["a"].nodes.empty());
  EXPECT_EQ(placed["a"].problem, "no node is in the set");
  EXPECT_EQ(placed["b"].problem, "the count divides by zero");
  EXPECT_THAT(Evaluated("pick(a, 1000000000*1000, ALL)", EightNodes())["a"].problem,
              HasSubstr("more than"));
  EXPECT_THAT(
      Evaluated("pick(a, 1000000000*1000000000*1000000000, ALL)", EightNodes())["a"].problem,
      HasSubstr("too large"));
}

TEST(Khan, PresentPlacementIsPreferred) {
  Situation situation = EightNodes();
  situation.present["a"] = {{"node9", 1}, {"kv2", 1}, {"gone", 1}};
  EXPECT_THAT(Evaluated("pick(a, 2, ALL)", situation)["a"].nodes,
              ElementsAre(Pair("kv2", 1), Pair("node9", 1)));
  auto three = Evaluated("pick(a, 3, ALL)", situation)["a"].nodes;
  EXPECT_EQ(three.size(), 3U);
  EXPECT_EQ(three.count("node9") + three.count("kv2"), 2U);
  EXPECT_THAT(Evaluated("pick(a, 1, LABEL(KV))", situation)["a"].nodes,
              ElementsAre(Pair("kv2", 1)));
}

TEST(Khan, NoNodeGetsMoreThanItsShareRoundedUp) {
  Situation situation = EightNodes();
  situation.present["a"] = {{"node0", 9}};
  const auto placed = Evaluated("pick(a, 10, ALL)", situation)["a"].nodes;
  std::int64_t total = 0;
  for (const auto& [node, count] : placed) {
    EXPECT_LE(count, 2) << node;
    total += count;
  }
  EXPECT_EQ(total, 10);
  EXPECT_EQ(placed.size(), 8U);
}

TEST(Khan, ANodeThatLeavesMovesOnlyItsOwnInstances) {
  Situation situation = EightNodes();
  const auto before = Evaluated("pick(a, 4, ALL)", situation)["a"].nodes;
  const std::string lost = before.begin()->first;
  situation.present["a"] = before;
  situation.nodes.erase(lost);
  const auto after = Evaluated("pick(a, 4, ALL)", situation)["a"].nodes;
  EXPECT_EQ(after.size(), 4U);
  for (const auto& [node, count] : before) {
    EXPECT_EQ(after.count(node), node == lost ? 0U : 1U) << node;
  }
}

TEST(Khan, ThousandsOfInstancesFindTheirPlaces) {
  Situation situation;
  for (int i = 0; i < 5000; ++i) {
    situation.nodes[absl::StrCat("node", i)] = {absl::StrCat("rack=", i % 100)};
  }
  const auto placed = Evaluated("pick(a, 10000, ALL) pick(b, 7499, !LABEL(rack=3))", situation);
  EXPECT_EQ(SumOf(placed.at("a")), 10000);
  EXPECT_EQ(placed.at("a").nodes.size(), 5000U);
  EXPECT_EQ(SumOf(placed.at("b")), 7499);
  EXPECT_EQ(placed.at("b").nodes.size(), 4950U);
}

TEST(Khan, AnEmptyProgramPlacesNothing) {
  EXPECT_TRUE(Evaluated("", EightNodes()).empty());
  EXPECT_TRUE(Evaluated("  # only a comment\n;;", EightNodes()).empty());
}

TEST(KhanErrors, NameThePlaceAndWhatWasExpected) {
  EXPECT_EQ(ErrorOf("pick(galumph, 3)"), "1:16: expected ',' behind pick's count, found ')'");
  EXPECT_EQ(ErrorOf("pick(galumph, ALL, 3)"),
            "1:15: expected a number: digits, size(...) or '(', found 'ALL'");
  EXPECT_EQ(ErrorOf("\n  pick(galumph, 3, ALL"),
            "2:23: expected ')' behind pick's set, found the end of the program");
  EXPECT_THAT(ErrorOf("pick(galump, 3, ALL)"),
              StartsWith("1:6: unknown service 'galump' (known: a, b"));
  EXPECT_THAT(ErrorOf("pick(a, 3, nope)"), StartsWith("1:12: undefined name 'nope'"));
  EXPECT_THAT(ErrorOf("pick(a, 3, b)"), HasSubstr("a service is no set, write b := pick(b, ...)"));
  EXPECT_THAT(ErrorOf("pick(a, 3x, ALL)"), StartsWith("1:9: a number ends in 'x'"));
  EXPECT_THAT(ErrorOf("pick(a, 3, LABEL())"), StartsWith("1:18: expected a label"));
  EXPECT_THAT(ErrorOf("pick(a, 3, LABEL(x y))"),
              StartsWith("1:20: expected ')' behind LABEL's text"));
  EXPECT_THAT(ErrorOf("pick(a, 3, ALL) $"), StartsWith("1:17: '$' means nothing"));
  EXPECT_THAT(ErrorOf("pick(a, 3, ALL &)"), StartsWith("1:17: expected a set"));
  EXPECT_THAT(ErrorOf("x = ALL"), StartsWith("1:3: expected a set"));
  EXPECT_THAT(ErrorOf("pick(a, 99999999999, ALL)"), HasSubstr("is more than"));
}

TEST(KhanErrors, ANameIsDefinedOnceAndNotByItself) {
  EXPECT_THAT(ErrorOf("x := ALL x := ALL"), StartsWith("1:10: 'x' is defined already, at 1:1"));
  EXPECT_THAT(ErrorOf("x := x"), HasSubstr("'x' is defined by itself"));
  EXPECT_THAT(ErrorOf("x := y|ALL\ny := pick(a, size(z), ALL)\nz := !x"),
              HasSubstr("is defined by itself"));
  EXPECT_THAT(ErrorOf("pick := ALL"), HasSubstr("is a word of khan"));
}

TEST(KhanErrors, AServiceIsPickedOnce) {
  EXPECT_THAT(ErrorOf("pick(a, 1, LABEL(x)) pick(a, 2, LABEL(y))"),
              StartsWith("1:27: 'a' is picked already, at 1:6"));
}

TEST(KhanErrors, WhatIsNotSupportedYetIsSaid) {
  EXPECT_EQ(ErrorOf("pickh(a, 1, ALL)"), "1:1: pickh is not supported yet; use pick");
  EXPECT_THAT(ErrorOf("pick(a, 1, ALL)\nstart a after 70% of b"),
              StartsWith("2:1: 'start ... after ...' is not supported yet"));
}

TEST(KhanErrors, NameTheFileAndItsLineWhenTheyAreKnown) {
  const auto program = Program::Parse("\npick(a 3, ALL)", kServices, {"g.yaml", 11});
  EXPECT_THAT(std::string(program.status().message()),
              StartsWith("g.yaml:12: khan 2:8: expected ','"));
}

// How deep `make(n)` may be: the greatest n below 900 that is a program.
int DeepestOf(const std::function<std::string(int)>& make) {
  int deepest = 0;
  for (int n = 1; n < 900; ++n) {
    const std::string error = ErrorOf(make(n));
    if (error.empty()) {
      EXPECT_EQ(deepest, n - 1) << "refused before, and taken again";
      deepest = n;
    } else {
      EXPECT_THAT(error, HasSubstr("nested too deeply"));
    }
  }
  return deepest;
}

TEST(KhanErrors, WhatIsAsDeepAsAllowedIsEvaluatedAndOneMoreIsRefused) {
  const auto times = [](int n, const std::string& text) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  const auto nots = [&](int n) { return "pick(a, 1, " + times(n, "!") + "ALL)"; };
  const auto ors = [&](int n) { return "pick(a, 1, ALL" + times(n, "|ALL") + ")"; };
  const auto sums = [&](int n) { return "pick(a, 1" + times(n, "+1") + ", ALL)"; };
  const auto sets = [&](int n) {
    return "pick(a, 1, " + times(n, "(") + "ALL" + times(n, ")") + ")";
  };
  const auto sizes = [&](int n) {
    return "pick(a, " + times(n, "(") + "1" + times(n, ")") + ", ALL)";
  };
  const auto names = [&](int n) {
    std::string chain = "x0 := ALL ";
    for (int i = 1; i <= n; ++i) absl::StrAppend(&chain, "x", i, " := x", i - 1, " ");
    return absl::StrCat(chain, "pick(a, 1, x", n, ")");
  };
  // The pick itself is one of the 500, and so is what stands innermost.
  EXPECT_EQ(DeepestOf(nots), Program::kDepthMax - 2);
  EXPECT_EQ(DeepestOf(ors), Program::kDepthMax - 2);
  EXPECT_EQ(DeepestOf(sums), Program::kDepthMax - 2);
  EXPECT_EQ(DeepestOf(names), Program::kDepthMax - 3) << "and the last name";
  const int set_depth = DeepestOf(sets);
  const int number_depth = DeepestOf(sizes);
  EXPECT_GE(set_depth, Program::kDepthMax);
  EXPECT_GE(number_depth, Program::kDepthMax);
  for (const std::string& text : {nots(498), ors(498), names(497), sets(set_depth)}) {
    EXPECT_EQ(SumOf(Evaluated(text, EightNodes()).at("a")), 1);
  }
  EXPECT_EQ(SumOf(Evaluated(sums(498), EightNodes()).at("a")), 499);
  EXPECT_EQ(SumOf(Evaluated(sizes(number_depth), EightNodes()).at("a")), 1);
}

TEST(KhanErrors, AProgramOfTheGreatestLengthIsEvaluated) {
  std::string text;
  for (std::size_t i = 0; i + 1 < Program::kStatementsMax; ++i) {
    absl::StrAppend(&text, "s", i, i == 0 ? " := ALL" : " := s0 & ALL", "\n");
  }
  text += "pick(a, 1000000, s998)\n";
  text += std::string(Program::kTextMax - text.size(), ' ');
  const Placement placement = Evaluated(text, EightNodes()).at("a");
  EXPECT_EQ(SumOf(placement), kInstancesMax);
  EXPECT_THAT(ErrorOf(text + " "), HasSubstr("longer than"));
  text.resize(Program::kTextMax - 10);
  EXPECT_THAT(ErrorOf(text + "ALL"), HasSubstr("more than 1000 statements"));
  EXPECT_THAT(Evaluated("pick(a, 1000001, ALL)", EightNodes()).at("a").problem,
              HasSubstr("more than 1000000 instances"));
}

TEST(KhanErrors, NestingAndLengthHaveLimits) {
  EXPECT_THAT(ErrorOf("pick(a, 1, " + std::string(20000, '(') + "ALL"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(ErrorOf("pick(a, 1, " + std::string(60000, '!') + "ALL)"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(ErrorOf("pick(a, " + std::string(30000, '(') + "1, ALL)"),
              HasSubstr("nested too deeply"));
  std::string sum = "ALL";
  for (int i = 0; i < 15000; ++i) sum += "|ALL";
  EXPECT_THAT(ErrorOf(sum), HasSubstr("nested too deeply"));
  std::string chain = "x0 := ALL ";
  for (int i = 1; i < 900; ++i) absl::StrAppend(&chain, "x", i, " := x", i - 1, " ");
  EXPECT_THAT(ErrorOf(chain), HasSubstr("nested too deeply"));
  EXPECT_THAT(ErrorOf(std::string(70000, ' ')), HasSubstr("longer than"));
  EXPECT_EQ(ErrorOf("pick(a, 1, " + std::string(100, '(') + "ALL" + std::string(100, ')') + ")"),
            "");
}

}  // namespace
}  // namespace radix::khan
