// Kills a process in the middle of storing files and looks at what it left.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "services/confab/random.h"
#include "services/pastiche/store_driver.h"

namespace radix::pastiche {
namespace {

namespace fs = std::filesystem;

// The content of file `number`: a few KiB to a few hundred, cheap to make.
std::string Content(std::uint64_t number) {
  Random random(number);
  std::string content;
  const std::uint64_t size = 1'000 + random.Below(400'000);
  while (content.size() < size) content += std::to_string(random.Next());
  return content;
}

// Stores file after file and writes each number to `acknowledged` once it is stored. Runs in the
// child; ends only by being killed.
[[noreturn]] void StoreForEver(const std::string& folder, StoreOptions options, int acknowledged) {
  auto store = Store::Open(folder, std::move(options));
  if (!store.ok()) _exit(3);
  for (std::uint64_t number = 0;; ++number) {
    auto incoming = (*store)->Begin(std::nullopt);
    if (!incoming.ok()) _exit(4);
    const std::string content = Content(number);
    for (std::size_t at = 0; at < content.size(); at += 8'192) {
      if (!(*incoming)->Append(std::string_view(content).substr(at, 8'192)).ok()) _exit(5);
    }
    if (!(*incoming)->Commit().ok()) _exit(6);
    if (write(acknowledged, &number, sizeof number) != sizeof number) _exit(7);
  }
}

class StoreCrashTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pastiche-crash-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
  }
  void TearDown() override { fs::remove_all(base_); }

  // Runs StoreForEver in a child in a fresh folder. Kills it `after` after its first
  // acknowledgement, unless `options` make it end by itself before that. Then looks.
  void CrashAndLook(const StoreOptions& options, std::chrono::microseconds after) {
    const std::string folder = base_ / std::to_string(next_folder_++);
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(pipe(pipe_ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      StoreForEver(folder, options, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    pollfd readable{pipe_ends[0], POLLIN, 0};
    ASSERT_EQ(poll(&readable, 1, 30'000), 1);  // an acknowledgement, or the child's end
    usleep(static_cast<useconds_t>(after.count()));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);

    std::uint64_t number = 0;
    std::uint64_t acknowledged = 0;
    while (read(pipe_ends[0], &number, sizeof number) == sizeof number) acknowledged = number + 1;
    close(pipe_ends[0]);
    Look(folder, acknowledged);
    acknowledged_ += acknowledged;
  }

  void Look(const std::string& folder, std::uint64_t acknowledged) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      leftovers_ += entry.path().filename().string().starts_with("incoming-") ? 1 : 0;
    }
    auto store = Store::Open(folder);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    for (std::uint64_t number = 0; number < acknowledged; ++number) {
      const auto file = (*store)->Verify(Sha256::Of(Content(number)));
      EXPECT_TRUE(file.ok()) << "acknowledged, but " << file.status().ToString();
    }
    const auto files = (*store)->List(std::nullopt, 1'000'000);
    ASSERT_TRUE(files.ok());
    EXPECT_LE(files->size(), acknowledged + 1);
    std::set<std::string> names;
    for (const FileInfo& file : *files) {
      const auto whole = (*store)->Verify(file.checksum);
      EXPECT_TRUE(whole.ok()) << whole.status().ToString();
      names.insert(file.checksum.Hex());
    }
    for (const auto& entry : fs::directory_iterator(folder)) {
      EXPECT_TRUE(names.contains(entry.path().filename())) << entry.path() << " was left";
    }
  }

  fs::path base_;
  int next_folder_ = 0;
  std::uint64_t acknowledged_ = 0;
  int leftovers_ = 0;
};

TEST_F(StoreCrashTest, LeavesEveryFileWholeOrAbsentWhereverItIsKilled) {
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    CrashAndLook({}, std::chrono::microseconds(random.Below(20'000)));
    if (HasFatalFailure()) return;
  }
  // Otherwise the kills fell between files, and showed nothing.
  EXPECT_GT(acknowledged_, 0U);
  EXPECT_GT(leftovers_, 0);
}

TEST_F(StoreCrashTest, LeavesEveryFileWholeOrAbsentBeforeEachStep) {
  for (const Step step : {Step::kWrite, Step::kSync, Step::kRename, Step::kSyncFolder}) {
    for (const int nth : {1, 2, 7}) {
      StoreOptions options;
      options.before_step = [step, left = nth](Step next) mutable {
        if (next == step && --left == 0) raise(SIGKILL);
        return 0;
      };
      CrashAndLook(options, std::chrono::seconds(0));
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace radix::pastiche
