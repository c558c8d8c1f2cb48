#include "services/khan/counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace radix::khan {
namespace {

using testing::HasSubstr;

const std::set<std::string> kServices = {"a", "b", "c"};

// What CheckCounts says of `text` in a group of at most 5 nodes, of 500 instances each.
std::string Refusal(const std::string& text) {
  const auto program = Program::Parse(text, kServices);
  EXPECT_TRUE(program.ok()) << program.status();
  if (!program.ok()) return "";
  return std::string(CheckCounts(*program, {5, 500}).message());
}

std::string RefusalOf(const std::string& count) { return Refusal("pick(a, " + count + ", ALL)"); }

TEST(Counts, WhatCanBeIsAccepted) {
  for (const char* count : {"0", "3", "7/2", "2500", "size(ALL)", "size(ALL) * 500", "10/size(ALL)",
                            "5 - size(ALL)", "size(LABEL(x)) - 4", "(3 - 3) * 4"}) {
    EXPECT_EQ(RefusalOf(count), "") << count;
  }
  EXPECT_EQ(Refusal("x := pick(b, 2, ALL)  pick(a, 1 / size(x), ALL)"), "");
}

TEST(Counts, ADivisionByZeroIsRefused) {
  EXPECT_EQ(RefusalOf("1/0"), "1:10: the count divides by zero");
  EXPECT_EQ(RefusalOf("1 / (2 - 2)"), "1:11: the count divides by zero");
  EXPECT_EQ(RefusalOf("size(ALL) / 0"), "1:19: the count divides by zero");
  EXPECT_EQ(Refusal("x := LABEL(y)\npick(a, 1, x)\nc := pick(b, 1/0, x)"),
            "3:15: the count divides by zero");
}

TEST(Counts, WhatIsZeroOnlyForSomeNodesMayBeDividedBy) {
  EXPECT_EQ(RefusalOf("1 / size(LABEL(x))"), "");
  EXPECT_EQ(RefusalOf("1 / (size(ALL) - 2)"), "");
}

TEST(Counts, ACountBelowZeroIsRefused) {
  const std::string refusal = "1:1: the count of 'a' is below zero; 0 stands for none";
  EXPECT_EQ(RefusalOf("0 - 3"), refusal);
  EXPECT_EQ(RefusalOf("(1 - 2) / 2"), refusal);
  EXPECT_EQ(RefusalOf("size(ALL) - 6"), refusal) << "there are 5 at most";
  EXPECT_EQ(RefusalOf("0 - size(ALL)"), refusal) << "there is always one";
  EXPECT_EQ(RefusalOf("0 - size(LABEL(x))"), "") << "there may be none";
}

TEST(Counts, MoreThanFitsIsRefused) {
  EXPECT_EQ(RefusalOf("2501"),
            "1:1: the count of 'a' is 2501; at most 2500 fit: 500 on each of 5 nodes");
  EXPECT_EQ(RefusalOf("1000000000 * 1000000000"),
            "1:1: the count of 'a' is 1000000000000000000; at most 2500 fit: 500 on each of 5 "
            "nodes");
  EXPECT_THAT(RefusalOf("size(ALL) * 2501"), HasSubstr("is at least 2501; at most 2500"));
  EXPECT_EQ(RefusalOf("size(LABEL(x)) * 2501"), "") << "there may be none";
  const auto program = Program::Parse("pick(a, 1000001, ALL)", kServices);
  ASSERT_TRUE(program.ok());
  EXPECT_THAT(std::string(CheckCounts(*program, {10'000, 500}).message()),
              HasSubstr("at most 1000000 fit"));
}

TEST(Counts, NumbersThatCannotBeComputedAreRefused) {
  EXPECT_EQ(RefusalOf("1000000000 * 1000000000 * 1000000000"),
            "1:33: the count's numbers are too large to compute");
  EXPECT_EQ(RefusalOf("1/999999937 + 1/999999929 + 1/999999893"),
            "1:35: the count's numbers are too large to compute");
}

TEST(Counts, TheFileAndItsLineAreNamed) {
  const auto program = Program::Parse("\npick(a, 1/0, ALL)", kServices);
  ASSERT_TRUE(program.ok());
  EXPECT_EQ(std::string(CheckCounts(*program, {5, 500}, {"g.yaml", 11}).message()),
            "g.yaml:12: khan 2:10: the count divides by zero");
}

}  // namespace
}  // namespace radix::khan
