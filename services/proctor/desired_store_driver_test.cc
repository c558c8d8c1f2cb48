#include "services/proctor/desired_store_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/confab/random.h"

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

  // Writes desired`suffix`.
  void Write(const std::string& bytes, const std::string& suffix = ".db") {
    std::ofstream(folder_ / ("desired" + suffix), std::ios::binary) << bytes;
  }

  std::string Read(const std::string& suffix = ".db") {
    std::ifstream file(folder_ / ("desired" + suffix), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  // Makes `bytes` the database of a folder in which nothing happened before.
  void Begin(const std::string& bytes) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::filesystem::remove_all(entry.path());
    }
    Write(bytes);
  }

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

TEST_F(DesiredStoreTest, AFileOfTheFormWithoutSealsIsNotDamaged) {
  const Document document = Document::Make(3, 2, std::string(9'000, 'x'));
  for (const bool saved : {true, false}) {
    Begin("");
    sqlite3* former = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &former), SQLITE_OK);
    const std::string row = absl::StrCat("INSERT INTO accepted VALUES (1, 4, 3, 2, x'",
                                         absl::BytesToHexString(document.checksum), "', x'",
                                         absl::BytesToHexString(document.body), "')");
    ASSERT_EQ(sqlite3_exec(former,
                           "CREATE TABLE accepted (id INTEGER PRIMARY KEY CHECK (id = 1), promised "
                           "INTEGER NOT NULL, epoch INTEGER NOT NULL, revision INTEGER NOT NULL, "
                           "checksum BLOB NOT NULL, body BLOB NOT NULL)",
                           nullptr, nullptr, nullptr),
              SQLITE_OK);
    if (saved) {
      ASSERT_EQ(sqlite3_exec(former, row.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    }
    sqlite3_close(former);
    for (int open = 0; open < 2; ++open) {
      const auto store = DesiredStore::Open(path_);
      ASSERT_TRUE(store.ok()) << store.status();
      EXPECT_EQ((*store)->loaded(), saved ? AcceptorState({4, document}) : AcceptorState());
      EXPECT_EQ((*store)->set_aside(), "");
    }
  }
}

TEST_F(DesiredStoreTest, AFileThatIsNoDatabaseIsSetAsideAndTheLossIsRemembered) {
  const std::string junk(8192, 'z');
  Write(junk);
  Write("of the old one", ".db-journal");
  {
    const auto store = DesiredStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->loaded(), (AcceptorState{0, {}, /*losses=*/1}));
    EXPECT_THAT((*store)->set_aside(), HasSubstr(path_.string() + ": file is not a database"));
    EXPECT_THAT((*store)->set_aside(), HasSubstr("kept as desired.db.damaged-1"));
  }
  EXPECT_EQ(Read(".db.damaged-1"), junk);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "desired.db-journal"));
  auto again = DesiredStore::Open(path_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->loaded().losses, 1) << "a restart makes it no new one";
  EXPECT_EQ((*again)->set_aside(), "") << "it is said once";
  const AcceptorState whole{4, Document::Make(4, 9, "x"), 0};
  ASSERT_TRUE((*again)->Save(whole).ok());
  again = absl::InternalError("closed");
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded(), whole);
}

TEST_F(DesiredStoreTest, WhereverItIsCutOffItIsKnownToBeDamaged) {
  const AcceptorState saved{7, Document::Make(6, 5, std::string(20'000, 'q'))};
  ASSERT_TRUE((*DesiredStore::Open(path_))->Save(saved).ok());
  const std::string whole = Read();
  ASSERT_GT(whole.size(), 20'000U);
  for (std::size_t size = 0; size < whole.size(); size += size < 1'024 ? 128 : 2'500) {
    Begin(whole.substr(0, size));
    const auto store = DesiredStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->loaded(), (AcceptorState{0, {}, 1})) << "cut off after " << size;
  }
  Begin(whole);
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded(), saved);
}

TEST_F(DesiredStoreTest, WhateverIsOverwrittenItIsWholeOrKnownToBeDamaged) {
  const AcceptorState saved{7, Document::Make(6, 5, std::string(3'000, 'q'))};
  {
    auto store = DesiredStore::Open(path_);
    for (std::int64_t revision = 1; revision < 5; ++revision) {  // leaves free pages behind
      ASSERT_TRUE((*store)->Save({6, Document::Make(6, revision, std::string(9'000, 'p'))}).ok());
    }
    ASSERT_TRUE((*store)->Save(saved).ok());
  }
  const std::string whole = Read();
  Random random(1);
  int damaged = 0;
  for (int i = 0; i < 100; ++i) {
    std::string bytes = whole;
    // Half of them where the row is: the rest is mostly free pages.
    const std::size_t row = whole.find(std::string(100, 'q'));
    ASSERT_NE(row, std::string::npos);
    std::size_t at = random.Below(bytes.size());
    if (i % 2 == 0) at = row - 200 + random.Below(300);
    for (std::uint64_t left = 1 + random.Below(40); left > 0 && at < bytes.size(); --left) {
      bytes[at++] = static_cast<char>(random.Below(256));
    }
    Begin(bytes);
    const auto store = DesiredStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE((*store)->Save((*store)->loaded()).ok()) << "the " << i << ".";
    if ((*store)->loaded() == saved) continue;
    ++damaged;
    ASSERT_EQ((*store)->loaded(), (AcceptorState{0, {}, 1})) << "the " << i << ".";
    ASSERT_EQ(Read(".db.damaged-1"), bytes);
  }
  EXPECT_GT(damaged, 30);
}

TEST_F(DesiredStoreTest, APromiseThatWasChangedOnDiskIsFound) {
  ASSERT_TRUE((*DesiredStore::Open(path_))->Save({0x41424344, Document::Make(3, 2, "x")}).ok());
  std::string bytes = Read();
  const std::size_t at = bytes.find("ABCD");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 3] = 'C';
  Begin(bytes);
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded(), (AcceptorState{0, {}, 1}));
}

TEST_F(DesiredStoreTest, LossesAreCountedAndTheLatestAreKept) {
  for (int loss = 1; loss <= kLossesMax; ++loss) {
    Write("junk");
    const auto store = DesiredStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->loaded().losses, loss);
    ASSERT_TRUE((*store)->Save({loss, Document::Make(loss, 1, "x")}).ok());
  }
  int kept = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    kept += entry.path().filename().string().starts_with("desired.db.damaged-") ? 1 : 0;
  }
  EXPECT_EQ(kept, 3);
  Write("junk");
  const auto store = DesiredStore::Open(path_);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("32 times before"));
  EXPECT_EQ(Read(), "junk") << "nothing was touched";
}

TEST_F(DesiredStoreTest, ASettingAsideThatWasInterruptedIsALoss) {
  Write("junk", ".db.damaged-1");
  Write("half made", ".db.new");
  const auto store = DesiredStore::Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->loaded(), (AcceptorState{0, {}, 1}));
}

TEST_F(DesiredStoreTest, WhatIsNoFileIsSetAsideToo) {
  std::filesystem::create_directory(path_);
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded().losses, 1);
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "desired.db.damaged-1"));
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("/nowhere/desired.db", path_);
  EXPECT_EQ((*DesiredStore::Open(path_))->loaded().losses, 2);
}

TEST_F(DesiredStoreTest, WhatIsDamagedWhileItIsOpenFailsToSave) {
  auto store = DesiredStore::Open(path_);
  ASSERT_TRUE((*store)->Save({1, Document::Make(1, 1, "x")}).ok());
  Write(std::string(8192, 'z'));
  EXPECT_EQ((*store)->Save({1, Document::Make(1, 2, "y")}).code(), absl::StatusCode::kDataLoss);
  store = DesiredStore::Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->loaded().losses, 1);
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
