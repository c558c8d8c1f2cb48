#include "services/confab/replace_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "services/confab/time.h"

namespace radix::confab {
namespace {

namespace fs = std::filesystem;

class ReplaceFileTest : public testing::Test {
 protected:
  ReplaceFileTest() {
    std::string name = (fs::temp_directory_path() / "replace-file-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
  }
  ~ReplaceFileTest() override { fs::remove_all(folder_); }

  fs::path path() const { return folder_ / "file"; }
  std::string Text() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  fs::path folder_;
};

TEST_F(ReplaceFileTest, MakesAndReplacesForItsOwnerOnly) {
  ASSERT_TRUE(ReplaceFile(path(), "one\n").ok());
  EXPECT_EQ(Text(), "one\n");
  chmod(path().c_str(), 0644);
  ASSERT_TRUE(ReplaceFile(path(), "two, and longer\n").ok());
  EXPECT_EQ(Text(), "two, and longer\n");
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
}

TEST_F(ReplaceFileTest, WhatCannotBeWrittenLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(ReplaceFile(path(), "old\n").ok());
  fs::create_directory(path().string() + ".new");
  const absl::Status status = ReplaceFile(path(), "new\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), testing::StartsWith(path().string() + ".new: "));
  EXPECT_EQ(Text(), "old\n");
  EXPECT_TRUE(ReplaceFile(path(), "new\n", ".another").ok());
  EXPECT_EQ(Text(), "new\n");
}

// A limit on the size of files is, to the writer, a disk that fills up in the middle of the file.
TEST_F(ReplaceFileTest, ADiskThatFillsUpInTheMiddleLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(ReplaceFile(path(), "old\n").ok());
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(ReplaceFile(path(), std::string(150, 'x')).ok() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Text(), "old\n");
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
}

TEST_F(ReplaceFileTest, AKillAtAnyPointLeavesOneOfTheTwoWhole) {
  const std::string texts[] = {std::string(65, 'a'), std::string(195, 'b')};
  ASSERT_TRUE(ReplaceFile(path(), texts[0]).ok());
  for (int i = 0; i < 40; ++i) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      for (int n = 0;; ++n) {
        if (!ReplaceFile(path(), texts[n % 2]).ok()) _exit(1);
        if (n == 0 && write(ready[1], "x", 1) != 1) _exit(2);
      }
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    std::this_thread::sleep_for(i * 37us);  // each kill at another point
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    close(ready[0]);
    close(ready[1]);
    EXPECT_THAT(Text(), testing::AnyOf(texts[0], texts[1]));
  }
  EXPECT_TRUE(ReplaceFile(path(), texts[0]).ok()) << "what the crash left is no obstacle";
  EXPECT_EQ(Names(), std::vector<std::string>{"file"});
}

}  // namespace
}  // namespace radix::confab
