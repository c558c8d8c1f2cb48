#include "fulcrum/state_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "services/confab/process_stat.h"

namespace radix::fulcrum {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StateFolderTest : public testing::Test {
 protected:
  StateFolderTest() {
    std::string path = testing::TempDir() + "/stateXXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    base_ = path;
  }
  ~StateFolderTest() override {
    umount2(base_.c_str(), MNT_DETACH);  // if it was mounted
    fs::remove_all(base_);
  }

  // Makes the base folder a disk of its own; false where this user may not.
  bool Mount(const std::string& options) const {
    return mount("tmpfs", base_.c_str(), "tmpfs", 0, ("mode=0700," + options).c_str()) == 0;
  }

  static absl::Status TakeOnce(const fs::path& path) { return StateFolder::Take(path).status(); }

  static std::string OwnName() {
    return std::to_string(getpid()) + " " +
           std::to_string(confab::ReadProcessStat(getpid())->start_ticks);
  }

  std::string PidFile() const {
    std::ifstream file(base_ / "n1" / "pid");
    std::string line;
    std::getline(file, line);
    return line;
  }

  fs::path base_;
};

TEST_F(StateFolderTest, IsMadeHeldByOneAndNamesItsProcess) {
  const fs::path path = base_ / "a" / "n1";
  auto first = StateFolder::Take(path);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  const absl::Status second = TakeOnce(path);
  EXPECT_TRUE(absl::IsAlreadyExists(second));
  EXPECT_FALSE(MayPass(second));
  first->Upkeep();
  std::ifstream file(path / "pid");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, OwnName());
  EXPECT_TRUE(fs::is_directory(path / "log"));
}

TEST_F(StateFolderTest, WhatNeedsAPersonIsRefusedWithAReason) {
  EXPECT_THAT(std::string(TakeOnce(base_ / std::string(100, 'x')).message()),
              HasSubstr("too long for the sockets"));
  std::ofstream(base_ / "file") << "x";
  EXPECT_THAT(std::string(TakeOnce(base_ / "file").message()), HasSubstr("is no folder"));
  EXPECT_THAT(std::string(TakeOnce(base_ / "file" / "n1").message()),
              HasSubstr(std::strerror(ENOTDIR)));
  fs::create_directory(base_ / "open");
  fs::permissions(base_ / "open", fs::perms::owner_all | fs::perms::group_read);
  EXPECT_THAT(std::string(TakeOnce(base_ / "open").message()), HasSubstr("chmod 700"));
  fs::create_directory(base_ / "locked");
  fs::permissions(base_ / "locked", fs::perms::owner_all);
  fs::create_directory(base_ / "locked" / "fulcrum.lock");
  const absl::Status locked = TakeOnce(base_ / "locked");
  EXPECT_THAT(std::string(locked.message()), HasSubstr(std::strerror(EISDIR)));
  for (const char* name : {"file", "open", "locked"}) EXPECT_FALSE(MayPass(TakeOnce(base_ / name)));
}

TEST_F(StateFolderTest, WhatCannotBeWrittenIsDoneWithoutUntilItCan) {
  auto folder = StateFolder::Take(base_ / "n1");
  ASSERT_TRUE(folder.ok()) << folder.status();
  fs::create_directory(base_ / "n1" / "pid.new");  // stands in its way
  testing::internal::CaptureStdout();
  folder->Upkeep();
  folder->Upkeep();
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(said, HasSubstr(std::strerror(EISDIR)));
  EXPECT_EQ(said.find("pid.new"), said.rfind("pid.new")) << "it is said once";
  EXPECT_EQ(PidFile(), "");
  fs::remove(base_ / "n1" / "pid.new");
  folder->Upkeep();
  EXPECT_EQ(PidFile(), OwnName());
}

TEST_F(StateFolderTest, ADiskWithoutRoomForAFolderMayPass) {
  if (!Mount("nr_inodes=2")) GTEST_SKIP() << "this user may not mount a disk to fill";
  ASSERT_TRUE(fs::create_directory(base_ / "filler"));
  const absl::Status full = TakeOnce(base_ / "n1");
  EXPECT_THAT(std::string(full.message()), HasSubstr(std::strerror(ENOSPC)));
  EXPECT_TRUE(MayPass(full));
}

TEST_F(StateFolderTest, AFullDiskLeavesNoHalfOfAPid) {
  if (!Mount("size=64k")) GTEST_SKIP() << "this user may not mount a disk to fill";
  std::ofstream filler(base_ / "filler");
  while (filler.put('x').flush()) continue;
  filler.close();
  auto folder = StateFolder::Take(base_ / "n1");
  ASSERT_TRUE(folder.ok()) << folder.status();
  folder->Upkeep();
  EXPECT_FALSE(fs::exists(base_ / "n1" / "pid"));
  EXPECT_FALSE(fs::exists(base_ / "n1" / "pid.new"));
  fs::remove(base_ / "filler");
  folder->Upkeep();
  EXPECT_EQ(PidFile(), OwnName());
}

}  // namespace
}  // namespace radix::fulcrum
