#include "services/confab/charter_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace radix::confab {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class CharterFileTest : public testing::Test {
 protected:
  CharterFileTest() {
    std::string folder = testing::TempDir() + "/charterXXXXXX";
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
  }
  ~CharterFileTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<Charter> Load(const std::string& text) {
    std::ofstream(path()) << text;
    return LoadCharter(path());
  }
  std::string MessageFor(const std::string& text) {
    const auto charter = Load(text);
    EXPECT_EQ(charter.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(charter.status().message());
  }
  absl::StatusOr<std::vector<SecondaryKey>> LoadKeyFile(const std::string& text, mode_t mode) {
    std::ofstream(folder_ / "key") << text;
    chmod((folder_ / "key").c_str(), mode);
    return LoadKeys(path(), Charter{.key_file = "key"});
  }
  std::filesystem::path path() const { return folder_ / "charter.yaml"; }

  std::filesystem::path folder_;
};

constexpr char kGood[] =
    "bloc: lab\nranges: [127.88.0.0/30, 127.88.1.1-127.88.1.2]\nport: 7117\nkey_file: key\n";

TEST_F(CharterFileTest, ReadsACharterAndFillsInTheDefaults) {
  const auto charter = Load(kGood);
  ASSERT_TRUE(charter.ok()) << charter.status();
  EXPECT_EQ(charter->bloc, "lab");
  EXPECT_EQ(charter->ranges.size(), 6u);
  EXPECT_EQ(charter->at_most, 6u);
  EXPECT_EQ(charter->quorum, 4u);
}

TEST_F(CharterFileTest, NamesFileLineAndField) {
  EXPECT_THAT(MessageFor(std::string(kGood) + "quorums: 3\n"),
              testing::AllOf(StartsWith(path().string() + ":5: "), HasSubstr("'quorums'")));
  EXPECT_THAT(MessageFor(std::string(kGood) + "port: 1\n"),
              StartsWith(path().string() + ":5: field 'port' is there twice"));
  EXPECT_THAT(MessageFor("bloc: lab\nport: many\n"),
              StartsWith(path().string() + ":2: port: must be a number"));
  EXPECT_THAT(MessageFor("bloc: lab\nranges: 127.0.0.1\n"),
              StartsWith(path().string() + ":2: ranges: must be a list"));
  EXPECT_THAT(MessageFor("bloc: Lab\nranges: [127.0.0.1]\nport: 1\nkey_file: k\n"),
              StartsWith(path().string() + ":1: bloc: "));
  EXPECT_THAT(MessageFor(std::string(kGood) + "quorum: 3\n"),
              StartsWith(path().string() + ":5: quorum: "));
}

TEST_F(CharterFileTest, RefusesWhatIsNoCharter) {
  EXPECT_THAT(MessageFor(""), HasSubstr("field: value"));
  EXPECT_THAT(MessageFor("- a\n"), HasSubstr("field: value"));
  EXPECT_THAT(MessageFor("bloc: [\n"), StartsWith(path().string() + ":"));
  EXPECT_THAT(MessageFor("bloc:\nranges: [127.0.0.1]\nport: 1\nkey_file: k\n"),
              HasSubstr(":1: bloc: must not be empty"));
  EXPECT_EQ(MessageFor("bloc: " + std::string(9999, '[')),
            path().string() + ":1: is nested too deeply");
  EXPECT_EQ(LoadCharter(folder_ / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadCharter("/dev/zero").status().message(),
            "/dev/zero: is larger than 64 KiB, so it is no charter");
}

TEST_F(CharterFileTest, RefusesASecondDocumentWhichNobodyWouldRead) {
  EXPECT_THAT(MessageFor(std::string(kGood) + "---\nquorum: 1\n"),
              testing::AllOf(StartsWith(path().string() + ":6: "), HasSubstr("second document")));
}

TEST_F(CharterFileTest, RefusesAFolder) {
  const auto charter = LoadCharter(folder_);
  EXPECT_EQ(charter.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(charter.status().message(), folder_.string() + ": is no readable file");
}

TEST_F(CharterFileTest, ReadsTheKeyThatItMade) {
  ASSERT_TRUE(MakeKeyFile(folder_ / "key").ok());
  const auto keys = LoadKeys(path(), Charter{.key_file = "key"});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->size(), 1u);
  EXPECT_NE(keys->front(), SecondaryKey{});
  EXPECT_EQ(MakeKeyFile(folder_ / "key").code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(CharterFileTest, ReadsTheKeysThatReplacedItsOwnAlsoThroughALink) {
  const std::filesystem::path file = folder_ / "real";
  ASSERT_TRUE(MakeKeyFile(file).ok());
  std::filesystem::create_symlink("real", folder_ / "key");
  const std::vector<SecondaryKey> keys = {SecondaryKey{1}, SecondaryKey{2}, SecondaryKey{3}};
  ASSERT_TRUE(ReplaceKeyFile(KeyFilePath(path(), Charter{.key_file = "key"}), keys, "n1").ok());
  const auto read = LoadKeys(path(), Charter{.key_file = "key"});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, keys);
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "key"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
}

TEST_F(CharterFileTest, ReadsUpToThreeKeysAndNamesABadLine) {
  const std::string line = std::string(64, 'a') + "\n";
  EXPECT_EQ(LoadKeyFile(line + line + line, 0600)->size(), 3u);
  EXPECT_THAT(std::string(LoadKeyFile(line + line + line + line, 0600).status().message()),
              EndsWith(":4: there are at most 3 keys"));
  EXPECT_THAT(std::string(LoadKeyFile(line + "abc\n", 0600).status().message()),
              EndsWith(":2: must be 64 hex digits"));
  EXPECT_THAT(std::string(LoadKeyFile(std::string(64, '0') + "\n", 0600).status().message()),
              HasSubstr(":1: is all zeros"));
  EXPECT_THAT(std::string(LoadKeyFile("", 0600).status().message()), EndsWith(":1: has no key"));
}

TEST_F(CharterFileTest, RefusesAKeyFileThatOthersMayTouch) {
  const std::string line = std::string(64, 'a') + "\n";
  for (const mode_t mode : {0640, 0604, 0610, 0602}) {
    EXPECT_EQ(LoadKeyFile(line, mode).status().code(), absl::StatusCode::kPermissionDenied);
  }
}

TEST_F(CharterFileTest, DoesNotWaitForAPipe) {
  ASSERT_EQ(mkfifo((folder_ / "key").c_str(), 0600), 0);
  EXPECT_EQ(LoadKeys(path(), Charter{.key_file = "key"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace radix::confab
