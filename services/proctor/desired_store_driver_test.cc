#include "services/proctor/desired_store_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace radix::proctor {
namespace {

using testing::HasSubstr;

class DesiredStoreTest : public testing::Test {
 protected:
  DesiredStoreTest() {
    std::string pattern = testing::TempDir() + "desired-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "desired.db";
  }
  ~DesiredStoreTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(DesiredStoreTest, KeepsWhatWasSavedLast) {
  const AcceptorState first{3, Document::Make(2, 7, std::string("a\0b", 3))};
  const AcceptorState second{5, Document::Make(5, 8, std::string(1 << 20, 'x'))};
  {
    auto store = DesiredStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->loaded(), AcceptorState());
    EXPECT_TRUE((*store)->Save(first).ok());
  }
  {
    auto store = DesiredStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->loaded(), first);
    EXPECT_TRUE((*store)->Save(second).ok());
  }
  auto store = DesiredStore::Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->loaded(), second);
}

TEST_F(DesiredStoreTest, APromiseWithoutADocumentIsKept) {
  ASSERT_TRUE((*DesiredStore::Open(path_))->Save({4, {}}).ok());
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded(), (AcceptorState{4, {}}));
}

TEST_F(DesiredStoreTest, AFileThatIsNoDatabaseIsNamed) {
  std::ofstream(path_) << std::string(8192, 'z');
  const auto store = DesiredStore::Open(path_);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr(path_.string()));
}

TEST_F(DesiredStoreTest, ABodyThatChangedOnDiskIsFound) {
  const std::string body(500, 'q');
  ASSERT_TRUE((*DesiredStore::Open(path_))->Save({1, Document::Make(1, 1, body)}).ok());
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t at = bytes.find(body);
  ASSERT_NE(at, std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(at) + 100);
  file << 'Q';
  file.close();
  EXPECT_EQ(DesiredStore::Open(path_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DesiredStoreTest, AFullDiskIsAnErrorAndKeepsWhatWasThere) {
  const AcceptorState before{1, Document::Make(1, 1, "small")};
  auto store = DesiredStore::Open(path_);
  ASSERT_TRUE((*store)->Save(before).ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{64 * 1024, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);  // stands for a disk without room
  const absl::Status status = (*store)->Save({1, Document::Make(1, 2, std::string(1 << 20, 'x'))});
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
  EXPECT_TRUE((*store)->Save({2, before.document}).ok()) << "it goes on when there is room again";
  store = absl::InternalError("closed");
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded(), (AcceptorState{2, before.document}));
}

}  // namespace
}  // namespace radix::proctor
