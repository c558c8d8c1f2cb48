#include "clients/cli/log_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace radix::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class LogTailTest : public testing::Test {
 protected:
  LogTailTest() {
    std::string pattern = (fs::temp_directory_path() / "radix-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~LogTailTest() override { fs::remove_all(folder_); }

  LabNode NodeWith(const std::string& name, const std::string& log, const std::string& text) {
    LabNode node;
    node.name = name;
    node.state = folder_ / name;
    fs::create_directories(node.state / "log");
    std::ofstream(node.state / "log" / log) << text;
    return node;
  }

  fs::path folder_;
};

TEST_F(LogTailTest, TheLastErrorOfEachLogIsShownWithItsPlace) {
  const auto one = NodeWith("n1", "dean.log",
                            "T dean[7] error: the first\nT dean[7] error: no space left\n"
                            "T dean[7] info: goes on, without error: s\n");
  const auto two = NodeWith("n2", "reeve.log", "T reeve[8] warning: slow\n");
  const std::string errors = LastErrors({one, two});
  EXPECT_EQ(errors, "\n  n1/dean.log: T dean[7] error: no space left");
}

TEST_F(LogTailTest, OfManyErrorsTenAreShown) {
  std::vector<LabNode> nodes;
  for (int i = 10; i < 22; ++i) {
    nodes.push_back(NodeWith("n" + std::to_string(i), "flock.log", "T flock[7] critical: bad\n"));
  }
  EXPECT_THAT(LastErrors(nodes), HasSubstr("n19/flock.log"));
  EXPECT_THAT(LastErrors(nodes), Not(HasSubstr("n20/flock.log")));
}

TEST_F(LogTailTest, ANodeWithoutLogsHasNothingToSay) {
  LabNode node;
  node.state = folder_ / "none";
  EXPECT_EQ(LogTail(node), "");
  EXPECT_EQ(LastErrors({node}), "");
}

}  // namespace
}  // namespace radix::cli
