#include "clients/cli/lab_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

// What it makes is tested with real nodes in it: tests/integration/netns_test.py.
namespace radix::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(NamespaceOfTest, TellsLabsApartByTheirFolders) {
  EXPECT_THAT(NamespaceOf("/tmp/a", "n1"), testing::MatchesRegex("radix-[0-9a-f]{8}-n1"));
  EXPECT_EQ(NamespaceOf("/tmp/a", "n1"), NamespaceOf("/tmp/a", "n1"));
  EXPECT_NE(NamespaceOf("/tmp/a", "n1"), NamespaceOf("/tmp/b", "n1"));
}

TEST(CheckNetworkToolsTest, SaysThatItTakesRoot) {
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const absl::Status status = CheckNetworkTools();
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(StartsWith("--netns"), HasSubstr("root")));
}

TEST(CutTest, RefusesALabOnLoopback) {
  const absl::Status status = Cut(Lab{.state = "/tmp/a"}, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--netns"));
}

TEST(RemoveNetworkTest, FindsNothingToDoWhereThereIsNone) {
  EXPECT_TRUE(RemoveNetwork("/no/lab/was/ever/here").ok());
}

TEST(NetworkStayTest, SaysWhichNamespaceIsNotThere) {
  const auto stay = NetworkStay::Enter("radix-nowhere-n1");
  EXPECT_TRUE(absl::IsNotFound(stay.status())) << stay.status();
  EXPECT_THAT(std::string(stay.status().message()), HasSubstr("radix-nowhere-n1"));
}

}  // namespace
}  // namespace radix::cli
