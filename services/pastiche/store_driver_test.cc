#include "services/pastiche/store_driver.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "services/confab/random.h"

namespace radix::pastiche {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string RandomBytes(std::uint64_t seed, std::size_t size) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pastiche-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    folder_ = base_ / "pastiche";
    Reopen();
  }
  void TearDown() override { fs::remove_all(base_); }

  void Reopen() {
    store_.reset();
    auto store = Store::Open(folder_, options_);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    store_ = *std::move(store);
  }

  absl::StatusOr<FileInfo> Put(const std::string& content,
                               std::optional<Checksum> expected = std::nullopt) {
    auto incoming = store_->Begin(expected);
    if (!incoming.ok()) return incoming.status();
    for (std::size_t at = 0; at < content.size(); at += 10'000) {
      const absl::Status status = (*incoming)->Append(std::string_view(content).substr(at, 10'000));
      if (!status.ok()) return status;
    }
    return (*incoming)->Commit();
  }

  absl::StatusOr<std::string> Get(const Checksum& checksum, std::int64_t offset = 0) {
    auto file = store_->OpenFile(checksum);
    if (!file.ok()) return file.status();
    if (absl::Status skipped = (*file)->Skip(offset); !skipped.ok()) return skipped;
    std::string content;
    while (!(*file)->at_end()) {
      auto piece = (*file)->Read(7'000);
      if (!piece.ok()) return piece.status();
      content += *piece;
    }
    return content;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  void FlipABit(const Checksum& checksum, std::streamoff at) {
    fs::permissions(folder_ / checksum.Hex(), fs::perms::owner_all);
    std::fstream file(folder_ / checksum.Hex(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
  }

  fs::path base_;
  fs::path folder_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, GivesBackWhatWasPutFromAnyOffset) {
  for (const std::size_t size : {0, 1, 6'999, 7'000, 7'001, 100'000}) {
    const std::string content = RandomBytes(size, size);
    const auto put = Put(content);
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_EQ(put->checksum, Sha256::Of(content));
    EXPECT_EQ(put->size_bytes, static_cast<std::int64_t>(size));
    for (const std::size_t offset : {std::size_t{0}, size / 2, size}) {
      const auto got = Get(put->checksum, static_cast<std::int64_t>(offset));
      ASSERT_TRUE(got.ok()) << got.status().ToString();
      EXPECT_EQ(*got, content.substr(offset));
    }
    EXPECT_TRUE(store_->Verify(put->checksum).ok());
  }
}

TEST_F(StoreTest, KeepsFilesReadOnlyAndAcrossAReopening) {
  const auto put = Put("content");
  ASSERT_TRUE(put.ok());
  Reopen();
  EXPECT_EQ(*Get(put->checksum), "content");
  struct stat facts {};
  ASSERT_EQ(stat(store_->PathOf(put->checksum).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0444U);
}

TEST_F(StoreTest, StoresEqualContentOnce) {
  ASSERT_TRUE(Put("content").ok());
  ASSERT_TRUE(Put("content", Sha256::Of("content")).ok());
  EXPECT_THAT(Names(), testing::ElementsAre(Sha256::Of("content").Hex()));
}

TEST_F(StoreTest, RefusesOtherBytesThanThoseNamedAndKeepsNothing) {
  const std::string content = RandomBytes(1, 50'000);
  for (const std::string& wrong :
       {content.substr(0, 49'999), content + "x", std::string("quite another"), std::string()}) {
    const auto put = Put(wrong, Sha256::Of(content));
    EXPECT_EQ(put.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(put.status().message()), HasSubstr(Sha256::Of(content).ToString()));
    EXPECT_TRUE(Names().empty());
  }
}

TEST_F(StoreTest, ForgetsAFileThatIsNotCommitted) {
  {
    auto incoming = store_->Begin(std::nullopt);
    ASSERT_TRUE(incoming.ok());
    ASSERT_TRUE((*incoming)->Append("half of it").ok());
    EXPECT_EQ(Names().size(), 1U);
  }
  EXPECT_TRUE(Names().empty());
}

TEST_F(StoreTest, RemovesLeftoversAtTheStartAndNothingElse) {
  const auto put = Put("content");
  std::ofstream(folder_ / "incoming-0") << "half of it";
  std::ofstream(folder_ / "incoming-77") << "half of it";
  std::ofstream(folder_ / "notes.txt") << "somebody's";
  Reopen();
  EXPECT_THAT(Names(), testing::UnorderedElementsAre(put->checksum.Hex(), "notes.txt"));
}

TEST_F(StoreTest, FindsAFlippedBitSetsTheFileAsideAndTakesAGoodCopyAgain) {
  const std::string content = RandomBytes(2, 30'000);
  for (const std::streamoff at : {0, 15'000, 29'999}) {
    for (const std::int64_t offset : {0, 20'000, 30'000}) {
      const auto put = Put(content);
      ASSERT_TRUE(put.ok());
      FlipABit(put->checksum, at);
      const auto got = Get(put->checksum, offset);
      EXPECT_EQ(got.status().code(), absl::StatusCode::kDataLoss) << at << " from " << offset;
      EXPECT_THAT(std::string(got.status().message()), HasSubstr("set aside as bad-"));
      EXPECT_EQ(Get(put->checksum).status().code(), absl::StatusCode::kNotFound);
      EXPECT_THAT(Names(), testing::ElementsAre("bad-" + put->checksum.Hex()));
    }
  }
  const auto put = Put(content);
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(*Get(put->checksum), content);
}

TEST_F(StoreTest, NeverHandsOutTheLastBytesOfAWrongFile) {
  const auto put = Put(RandomBytes(3, 20'000));
  FlipABit(put->checksum, 0);
  auto file = store_->OpenFile(put->checksum);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Read(19'999).ok());
  EXPECT_EQ((*file)->Read(1).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreTest, FindsAFileThatWasCutOrGrew) {
  const auto put = Put(RandomBytes(4, 20'000));
  fs::permissions(folder_ / put->checksum.Hex(), fs::perms::owner_all);
  fs::resize_file(folder_ / put->checksum.Hex(), 19'000);
  EXPECT_EQ(store_->Verify(put->checksum).status().code(), absl::StatusCode::kDataLoss);

  ASSERT_TRUE(Put(RandomBytes(4, 20'000)).ok());
  auto file = store_->OpenFile(put->checksum);
  ASSERT_TRUE(file.ok());
  fs::permissions(folder_ / put->checksum.Hex(), fs::perms::owner_all);
  fs::resize_file(folder_ / put->checksum.Hex(), 10'000);
  EXPECT_EQ((*file)->Skip(20'000).code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreTest, DoesNotSetAsideTheGoodCopyThatReplacedABadOne) {
  const std::string content = RandomBytes(5, 20'000);
  const auto put = Put(content);
  FlipABit(put->checksum, 100);
  auto file = store_->OpenFile(put->checksum);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(Put(content).ok());
  EXPECT_EQ((*file)->Skip(20'000).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*Get(put->checksum), content);
}

TEST_F(StoreTest, FollowsNoLinkAndOpensNothingButFiles) {
  const std::string secret = base_ / "secret";
  std::ofstream(secret) << "secret";
  const Checksum checksum = Sha256::Of("secret");
  fs::create_symlink(secret, folder_ / checksum.Hex());
  EXPECT_EQ(Get(checksum).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Put("secret").ok());
  EXPECT_FALSE(fs::is_symlink(folder_ / checksum.Hex()));
  EXPECT_EQ(*Get(checksum), "secret");

  const Checksum pipe = Sha256::Of("pipe");
  ASSERT_EQ(mkfifo((folder_ / pipe.Hex()).c_str(), 0600), 0);
  EXPECT_EQ(Get(pipe).status().code(), absl::StatusCode::kNotFound);
  const Checksum subfolder = Sha256::Of("subfolder");
  fs::create_directory(folder_ / subfolder.Hex());
  EXPECT_EQ(Get(subfolder).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Put("subfolder").status().code(), absl::StatusCode::kInternal);
  const auto list = store_->List(std::nullopt, 10);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().checksum, checksum);
}

TEST_F(StoreTest, ListsInPages) {
  std::vector<Checksum> put;
  for (int i = 0; i < 25; ++i) put.push_back(Put(std::to_string(i))->checksum);
  std::sort(put.begin(), put.end());
  std::vector<Checksum> listed;
  std::optional<Checksum> after;
  for (;;) {
    const auto page = store_->List(after, 10);
    ASSERT_TRUE(page.ok());
    EXPECT_LE(page->size(), 10U);
    if (page->empty()) break;
    for (const FileInfo& file : *page) listed.push_back(file.checksum);
    after = page->back().checksum;
  }
  EXPECT_EQ(listed, put);
  EXPECT_TRUE(store_->List(std::nullopt, 0)->empty());
}

TEST_F(StoreTest, TakesTheSameFileFromManyAtOnce) {
  const std::string content = RandomBytes(6, 300'000);
  std::vector<std::thread> threads;
  std::vector<absl::Status> ends(8);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    threads.emplace_back([&, i] { ends[i] = Put(content, Sha256::Of(content)).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& end : ends) EXPECT_TRUE(end.ok()) << end.ToString();
  EXPECT_THAT(Names(), testing::ElementsAre(Sha256::Of(content).Hex()));
  EXPECT_EQ(*Get(Sha256::Of(content)), content);
}

TEST_F(StoreTest, RefusesAFolderThatIsInUseOrNone) {
  const auto second = Store::Open(folder_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  std::ofstream(base_ / "file") << "no folder";
  EXPECT_EQ(Store::Open(base_ / "file").status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Store::Open(base_ / "not" / "there").status().code(), absl::StatusCode::kInternal);
}

// The order is what keeps a file whole through a power failure, which no test here can cause.
TEST_F(StoreTest, SyncsTheFileBeforeItsNameAndTheFolderBeforeItAnswers) {
  std::vector<Step> steps;
  options_.before_step = [&](Step step) {
    steps.push_back(step);
    return 0;
  };
  Reopen();
  ASSERT_TRUE(Put("content").ok());
  EXPECT_THAT(steps,
              testing::ElementsAre(Step::kWrite, Step::kSync, Step::kRename, Step::kSyncFolder));
}

TEST_F(StoreTest, ReportsADiskThatFailsAtAnyStepAndKeepsNothingHalf) {
  Step failing = Step::kWrite;
  int error = 0;
  options_.before_step = [&](Step step) { return step == failing ? error : 0; };
  Reopen();
  const std::string content = RandomBytes(7, 50'000);
  for (const Step step : {Step::kWrite, Step::kSync, Step::kRename, Step::kSyncFolder}) {
    for (const int code : {ENOSPC, EIO}) {
      failing = step;
      error = code;
      const auto put = Put(content);
      EXPECT_EQ(put.status().code(), code == ENOSPC ? absl::StatusCode::kResourceExhausted
                                                    : absl::StatusCode::kInternal);
      EXPECT_THAT(std::string(put.status().message()), HasSubstr(folder_.string()));
      if (step == Step::kSyncFolder) {
        EXPECT_EQ(*Get(Sha256::Of(content)), content);  // there, whole
      } else {
        EXPECT_TRUE(Names().empty());
      }
    }
  }
  failing = Step::kWrite;
  error = 0;
  EXPECT_TRUE(Put(content).ok());
}

// The kernel's own refusal to let a file grow, as a full disk gives it in the middle of a write.
TEST_F(StoreTest, RefusesAFileForWhichThereIsNoRoom) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 123'456;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto put = Put(RandomBytes(8, 200'000));
  const auto fits = Put(RandomBytes(9, 123'456));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(put.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(put.status().message()), HasSubstr("behind byte 123456"));
  ASSERT_TRUE(fits.ok()) << fits.status().ToString();
  EXPECT_THAT(Names(), testing::ElementsAre(fits->checksum.Hex()));
}

}  // namespace
}  // namespace radix::pastiche
