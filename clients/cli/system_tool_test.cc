#include "clients/cli/system_tool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace radix::cli {
namespace {

using ::testing::HasSubstr;

TEST(FindToolTest, FindsWhatIsForRootAlsoWhereThePathHasItNot) {
  const auto shell = FindTool("sh", "dash");
  ASSERT_TRUE(shell.ok()) << shell.status();
  EXPECT_THAT(*shell, testing::EndsWith("/sh"));
  const auto nothing = FindTool("no-such-tool", "no-such-package");
  EXPECT_TRUE(absl::IsNotFound(nothing.status()));
  EXPECT_THAT(std::string(nothing.status().message()),
              testing::AllOf(HasSubstr("no-such-tool"), HasSubstr("no-such-package")));
}

TEST(RunToolTest, GivesItItsInputAndTellsWhatItComplainedOf) {
  const std::string shell = *FindTool("sh", "dash");
  EXPECT_TRUE(RunTool(shell, {"-c", "read word && test $word = pigs"}, "pigs\n").ok());
  const absl::Status failed = RunTool(shell, {"-c", "echo no wings >&2; exit 3"}, "");
  EXPECT_TRUE(absl::IsInternal(failed)) << failed;
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no wings"));
  EXPECT_TRUE(absl::IsInternal(RunTool(shell, {"-c", "kill -9 $$"}, ""))) << "nor did it succeed";
  EXPECT_FALSE(RunTool("/no/such/tool", {}, "").ok());
}

// It says more than anybody reads, and reads nothing of what it is given.
TEST(RunToolTest, WaitsForNobodyWhoDoesNotRead) {
  const std::string shell = *FindTool("sh", "dash");
  const std::string much(1 << 20, 'x');
  EXPECT_TRUE(RunTool(shell, {"-c", "head -c 1000000 /dev/zero >&2"}, much).ok());
}

}  // namespace
}  // namespace radix::cli
