#include "fulcrum/node_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "services/confab/charter_file.h"

namespace radix::fulcrum {
namespace {

using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ChooseAddressTest, TakesTheOnlyOneInTheRangesOrListsTheCandidates) {
  const auto ranges = *AddressRanges::Parse({"10.0.0.0/24"});
  const auto outside = *IpAddress::Parse("192.168.0.1");
  const auto one = *IpAddress::Parse("10.0.0.7");
  const auto two = *IpAddress::Parse("10.0.0.8");
  EXPECT_EQ(*ChooseAddress(ranges, {outside, one}), one);
  EXPECT_THAT(Message(ChooseAddress(ranges, {outside}).status()),
              testing::AllOf(HasSubstr("192.168.0.1"), HasSubstr("--address")));
  EXPECT_THAT(Message(ChooseAddress(ranges, {one, two, outside}).status()),
              testing::AllOf(HasSubstr("10.0.0.7, 10.0.0.8"), HasSubstr("--address")));
}

TEST(NameFromHostTest, IsTheHostsNameInSmallLetters) {
  EXPECT_EQ(*NameFromHost("Rack-7.example.org"), "rack-7");
  EXPECT_THAT(Message(NameFromHost("my_host").status()), HasSubstr("--name"));
  EXPECT_FALSE(NameFromHost("").ok());
}

class ResolveNodeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (std::filesystem::temp_directory_path() / "options-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    ASSERT_TRUE(confab::MakeKeyFile(folder_ / "key").ok());
    flags_ = {.charter = folder_ / "charter.yaml",
              .name = "n1",
              .address = "127.88.77.1",
              .state = folder_ / "n1"};
    WriteCharter("key_file: key");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void WriteCharter(const std::string& more) const {
    std::ofstream(flags_.charter) << "bloc: b\nranges: [127.88.77.0/24]\nport: 7117\n" << more;
  }
  std::string Problem() const { return Message(ResolveNode(flags_).status()); }

  std::filesystem::path folder_;
  NodeFlags flags_;
};

TEST_F(ResolveNodeTest, AcceptsWhatIsRight) {
  const auto node = ResolveNode(flags_);
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->node.name, "n1");
  EXPECT_EQ(node->node.address.ToString(), "127.88.77.1");
  EXPECT_EQ(node->node.state, folder_ / "n1");
}

TEST_F(ResolveNodeTest, NamesWhatIsWrong) {
  WriteCharter("key_file: key\ncolour: red");
  EXPECT_THAT(Problem(), HasSubstr("colour"));
  WriteCharter("key_file: key\nat_most: 300");
  EXPECT_THAT(Problem(), HasSubstr("at_most"));
  WriteCharter("key_file: key\nat_most: 4\nquorum: 2");
  EXPECT_THAT(Problem(), HasSubstr("quorum"));
  WriteCharter("key_file: nokey");
  EXPECT_THAT(Problem(), HasSubstr("nokey"));
  WriteCharter("key_file: key");
  std::filesystem::permissions(folder_ / "key", std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_THAT(Problem(), HasSubstr("chmod 600"));
}

TEST_F(ResolveNodeTest, RefusesAStateFolderWhosePathIsNoUtf8) {
  WriteCharter("key_file: key");
  flags_.state = folder_ / "n\xff";
  EXPECT_THAT(Problem(), HasSubstr("UTF-8"));
}

TEST_F(ResolveNodeTest, RefusesAnAddressOutside) {
  flags_.address = "10.0.0.1";
  EXPECT_THAT(Problem(), testing::AllOf(HasSubstr("--address"), HasSubstr("127.88.77.0-")));
}

// Usage, and so told apart from what is well-formed and does not fit.
TEST(ParseNodeFlagsTest, RefusesWhatIsMalformed) {
  const auto problem = [](const char* flag, const char* value) {
    const char* const argv[] = {"fulcrum", "--charter", "c.yaml", flag, value};
    return Message(ParseNodeFlags(5, argv).status());
  };
  EXPECT_EQ(problem("--name", "n1"), "");
  EXPECT_THAT(problem("--name", "N_1"), HasSubstr("--name: 'N_1'"));
  EXPECT_EQ(problem("--address", "fd00::7"), "");
  EXPECT_THAT(problem("--address", "300.1.1.1"), HasSubstr("--address: '300.1.1.1'"));
  EXPECT_EQ(problem("--label", "rack=7"), "");
  EXPECT_THAT(problem("--label", "a b"), HasSubstr("--label: 'a b'"));
  EXPECT_EQ(problem("--services", "none"), "");
  EXPECT_EQ(problem("--services", "all"), "");
  EXPECT_THAT(problem("--services", "flock"), HasSubstr("--services: 'flock'"));
  EXPECT_THAT(problem("--wat", "x"), HasSubstr("--wat"));
  const char* const empty[] = {"fulcrum", "--charter", ""};
  EXPECT_THAT(Message(ParseNodeFlags(3, empty).status()), HasSubstr("--charter: names no file"));
}

TEST_F(ResolveNodeTest, TakesAnyAddressOfTheRanges) {
  std::ofstream(flags_.charter) << "bloc: b\nranges: [10.0.0.0/24]\nport: 7117\nkey_file: key\n";
  flags_.address = "10.0.0.7";
  EXPECT_EQ(Problem(), "");
  flags_.flock_only = true;
  const auto node = ResolveNode(flags_);
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_TRUE(node->flock_only);
  EXPECT_THAT(confab::ToCommandLine(*node), testing::IsSupersetOf({"--services", "none"}));
  flags_.address = "127.88.77.1";
  WriteCharter("key_file: key");
  EXPECT_TRUE(ResolveNode(flags_)->flock_only);
}

}  // namespace
}  // namespace radix::fulcrum
