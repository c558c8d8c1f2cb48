#include "services/confab/node_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace radix::confab {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NodeKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "node_keyXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    state_ = folder;
  }
  void TearDown() override { fs::remove_all(state_); }

  std::string Read(const std::string& name) const {
    std::ifstream file(state_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(state_ / name, std::ios::binary) << text;
  }
  mode_t ModeOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(stat((state_ / name).c_str(), &info), 0) << name;
    return info.st_mode & 0777;
  }

  fs::path state_;
};

TEST_F(NodeKeyTest, MakesANodeKeyOnceForItsOwnerOnly) {
  const auto made = LoadOrMakeNodeKey(state_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(*made, NodeKeySeed{});
  EXPECT_EQ(ModeOf("node.key"), 0600U);
  EXPECT_EQ(Read("node.key").size(), 65U);
  EXPECT_EQ(LoadOrMakeNodeKey(state_).value(), *made);
}

TEST_F(NodeKeyTest, RefusesANodeKeyThatOthersMayTouch) {
  ASSERT_TRUE(LoadOrMakeNodeKey(state_).ok());
  const std::string before = Read("node.key");
  for (const mode_t mode : {0640U, 0604U, 0620U, 0610U, 0601U}) {
    ASSERT_EQ(chmod((state_ / "node.key").c_str(), mode), 0);
    const auto refused = LoadOrMakeNodeKey(state_);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied) << std::oct << mode;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("chmod 600"));
  }
  EXPECT_EQ(Read("node.key"), before);
}

TEST_F(NodeKeyTest, RefusesAMalformedNodeKeyAndKeepsIt) {
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string(63, 'a') + "\n", std::string(64, 'g') + "\n",
        std::string(64, 'a'), std::string(64, 'a') + "\n\n", std::string(66, 'a') + "\n"}) {
    Write("node.key", text);
    ASSERT_EQ(chmod((state_ / "node.key").c_str(), 0600), 0);
    const auto refused = LoadOrMakeNodeKey(state_);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("node.key"));
    EXPECT_EQ(Read("node.key"), text);
  }
}

// All services of a node may ask for it at once, at its first boot.
TEST_F(NodeKeyTest, ManyWhoMakeItAtOnceGetTheSame) {
  for (int round = 0; round < 20; ++round) {
    fs::remove(state_ / "node.key");
    std::vector<NodeKeySeed> seeds(8);
    std::vector<std::thread> threads;
    for (NodeKeySeed& seed : seeds) {
      threads.emplace_back([&] {
        if (const auto made = LoadOrMakeNodeKey(state_); made.ok()) seed = *made;
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const NodeKeySeed& seed : seeds) ASSERT_EQ(seed, seeds[0]);
    EXPECT_NE(seeds[0], NodeKeySeed{});
    EXPECT_EQ(std::distance(fs::directory_iterator(state_), {}), 1) << "nothing is left beside it";
  }
}

TEST_F(NodeKeyTest, AKeyThatNoDiskTakesIsHeldInMemoryUntilOneDoes) {
  // Now the file beside cannot be made.
  const fs::path beside = state_ / ("node.key.new-" + std::to_string(getpid()));
  fs::create_directory(beside);
  auto held = HeldNodeKey::Take(state_);
  ASSERT_TRUE(held.ok()) << held.status();
  const std::string variable = held->Variable();
  ASSERT_NE(variable, "");
  const std::size_t equals = variable.find('=');
  setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  const auto in_memory = LoadOrMakeNodeKey(state_);
  ASSERT_TRUE(in_memory.ok()) << in_memory.status();
  EXPECT_EQ(*LoadOrMakeNodeKey(state_), *in_memory);

  held->Upkeep();
  EXPECT_FALSE(fs::exists(state_ / "node.key"));
  fs::remove(beside);
  held->Upkeep();
  EXPECT_EQ(ModeOf("node.key"), 0600U);
  unsetenv(variable.substr(0, equals).c_str());
  EXPECT_EQ(*LoadOrMakeNodeKey(state_), *in_memory) << "another boot has the same";
}

TEST_F(NodeKeyTest, AKeyOnDiskIsNotHeldInMemory) {
  const auto held = HeldNodeKey::Take(state_);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(held->Variable(), "");
  EXPECT_TRUE(fs::exists(state_ / "node.key"));
}

}  // namespace
}  // namespace radix::confab
