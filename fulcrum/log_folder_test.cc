#include "fulcrum/log_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "services/confab/descriptor.h"

namespace radix::fulcrum {
namespace {

namespace fs = std::filesystem;

class LogFolderTest : public testing::Test {
 protected:
  LogFolderTest() {
    std::string path = testing::TempDir() + "/logsXXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    folder_ = path;
  }
  ~LogFolderTest() override { fs::remove_all(folder_); }

  // A process's end of a log, as SpawnProcess opens it.
  confab::Descriptor OpenLog(const std::string& name) const {
    return confab::Descriptor(
        open((folder_ / name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  }
  static void Write(const confab::Descriptor& log, const std::string& text) {
    ASSERT_EQ(write(log.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder_;
};

TEST_F(LogFolderTest, ALongLogBeginsAnewUnderItsWritersHandsAndItsEndIsKept) {
  const auto log = OpenLog("talker.log");
  std::string text;
  while (text.size() <= 2 * kLogBytesMax) text += "line " + std::to_string(text.size()) + "\n";
  Write(log, text);
  BoundLogs(folder_);
  EXPECT_EQ(fs::file_size(folder_ / "talker.log"), 0U);
  EXPECT_TRUE(Read("talker.log.1") == text.substr(text.size() - kLogBytesMax));
  Write(log, "and on\n");
  EXPECT_EQ(Read("talker.log"), "and on\n");
}

TEST_F(LogFolderTest, ALogOfTheGreatestLengthIsLeftAlone) {
  const std::string text(kLogBytesMax, 'x');
  Write(OpenLog("talker.log"), text);
  BoundLogs(folder_);
  EXPECT_TRUE(Read("talker.log") == text);
  EXPECT_FALSE(fs::exists(folder_ / "talker.log.1"));
}

TEST_F(LogFolderTest, WhereItsEndCannotBeKeptALogBeginsAnewEvenSo) {
  fs::create_directory(folder_ / "talker.log.1");  // nothing can be written there
  Write(OpenLog("talker.log"), std::string(kLogBytesMax + 1, 'x'));
  BoundLogs(folder_);
  EXPECT_EQ(fs::file_size(folder_ / "talker.log"), 0U);
}

TEST_F(LogFolderTest, WhatIsNoLogOfItsOwnIsLeftAlone) {
  const std::string text(kLogBytesMax + 1, 'x');
  Write(OpenLog("precious"), text);
  fs::create_symlink(folder_ / "precious", folder_ / "link.log");
  fs::create_symlink("/dev/full", folder_ / "full.log");
  BoundLogs(folder_);
  EXPECT_EQ(fs::file_size(folder_ / "precious"), text.size());
  BoundLogs(folder_ / "missing");  // and hurts nobody
}

TEST_F(LogFolderTest, KnowsTheLastLine) {
  const auto log = OpenLog("talker.log");
  EXPECT_EQ(LastLine(folder_ / "talker.log"), "");
  Write(log, "one\ntwo\n");
  EXPECT_EQ(LastLine(folder_ / "talker.log"), "two");
  Write(log, std::string(1000, 'x'));
  EXPECT_EQ(LastLine(folder_ / "talker.log"), std::string(301, 'x'));
  EXPECT_EQ(LastLine(folder_ / "missing.log"), "");
}

}  // namespace
}  // namespace radix::fulcrum
