// The rotation of the secondary key on real sockets and disks, each node with a key file of its
// own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <vector>

#include "services/flock/loopback_bloc_test.h"

namespace radix::flock {
namespace {

namespace fs = std::filesystem;

class KeyRotationTest : public LoopbackBlocTest {
 protected:
  static KeyReport Give(TestNode& node, const KeyOrder& order) {
    auto answer = std::make_shared<std::promise<KeyReport>>();
    node.driver->OrderKeys(order, [answer](const KeyReport& report) { answer->set_value(report); });
    auto future = answer->get_future();
    // Orders are answered within 5 s, whatever happens.
    return future.wait_for(60s) == std::future_status::ready ? future.get() : KeyReport{};
  }
  // Gives the order until it is done and everybody has acknowledged it.
  static bool Do(TestNode& node, KeyStep step, std::uint32_t from) {
    const auto acknowledged = [&] {
      const KeyReport report = Give(node, {});
      return report.result == KeyResult::kDone && report.acknowledged == report.members;
    };
    return Eventually([&] {
             return Give(node, {step, from, false, 0}).result == KeyResult::kDone;
           }) &&
           Eventually(acknowledged);
  }
  static bool Rotate(TestNode& node) {
    const std::uint32_t from = Give(node, {}).current;
    return Do(node, KeyStep::kInstall, from) && Do(node, KeyStep::kUse, from) &&
           Do(node, KeyStep::kRemove, from);
  }
  static std::vector<Key> Read(const TestNode& node) {
    const auto keys =
        confab::LoadKeys(node.key_file.parent_path() / "charter.yaml", node.config.charter);
    EXPECT_TRUE(keys.ok()) << keys.status();
    return keys.value_or(std::vector<Key>{});
  }
  // As after a power failure: another boot, with what its disk holds.
  TestNode& StartAgain(TestNode& node) {
    node.driver.reset();
    node.config.boot = confab::RandomNumber();
    confab::FillRandom(node.config.entropy);
    node.config.secondary_keys = Read(node);
    return Start(node);
  }
  std::vector<TestNode*> StartThree() {
    std::vector<TestNode*> nodes;
    for (int i = 1; i <= 3; ++i) nodes.push_back(&Start(Add(i)));
    EXPECT_TRUE(
        Eventually([&] { return CommonLeader(nodes) != nullptr && Names(*nodes[0]).size() == 3; }));
    return nodes;
  }
};

TEST_F(KeyRotationTest, RewritesEveryKeyFileForItsOwnerOnlyAndLeavesNothingBeside) {
  const auto nodes = StartThree();
  ASSERT_TRUE(Rotate(*nodes[1]));
  const std::vector<Key> keys = Read(*nodes[0]);
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_NE(keys[0], key_);
  EXPECT_EQ(keys[1], key_);
  for (const TestNode* node : nodes) {
    EXPECT_EQ(Read(*node), keys);
    EXPECT_EQ(fs::status(node->key_file).permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    for (const auto& entry : fs::directory_iterator(node->key_file.parent_path())) {
      EXPECT_FALSE(entry.path().filename().string().starts_with("secondary.key."));
    }
  }
}

TEST_F(KeyRotationTest, WhoWasAwayForOneComesBackByItsOldFileAndHasTheNewOneThen) {
  const auto nodes = StartThree();
  TestNode& sleeper = *nodes[2];
  sleeper.driver->Abandon();
  ASSERT_TRUE(Eventually([&] { return Give(*nodes[0], {}).members == 2; }));
  ASSERT_TRUE(Rotate(*nodes[0]));
  EXPECT_EQ(Read(sleeper), std::vector<Key>{key_});
  StartAgain(sleeper);
  EXPECT_TRUE(Eventually([&] { return Names(*nodes[0]).size() == 3; }));
  EXPECT_TRUE(Eventually([&] { return Read(sleeper) == Read(*nodes[0]); }));
  EXPECT_TRUE(Eventually([&] { return Give(sleeper, {}).acknowledged == 3; }));
}

TEST_F(KeyRotationTest, WhoWasAwayForTwoSaysSoInItsLogAndNeedsTheFileOfAnother) {
  const auto nodes = StartThree();
  TestNode& sleeper = *nodes[2];
  sleeper.driver->Abandon();
  ASSERT_TRUE(Eventually([&] { return Give(*nodes[0], {}).members == 2; }));
  ASSERT_TRUE(Rotate(*nodes[0]) && Rotate(*nodes[1]));
  const int errors = log_->errors;
  sleeper.config.remembered = {nodes[0]->config.slot};
  StartAgain(sleeper);
  EXPECT_TRUE(Eventually([&] { return log_->errors > errors; })) << "the alarm is an error";
  EXPECT_EQ(Names(*nodes[0]).size(), 2U);
  EXPECT_EQ(Give(sleeper, {}).result, KeyResult::kNoLeader);
  ASSERT_TRUE(
      fs::copy_file(nodes[0]->key_file, sleeper.key_file, fs::copy_options::overwrite_existing));
  StartAgain(sleeper);
  EXPECT_TRUE(Eventually([&] { return Names(*nodes[0]).size() == 3; }));
}

TEST_F(KeyRotationTest, AKeyFileThatCannotBeRewrittenHoldsItUpUntilItCan) {
  const auto nodes = StartThree();
  TestNode& full = *nodes[2];
  const fs::path obstacle = full.key_file.string() + ".n3.new";
  fs::create_directory(obstacle);
  TestNode& leader = *CommonLeader(nodes);
  const std::uint32_t from = Give(leader, {}).current;
  const int errors = log_->errors;
  ASSERT_TRUE(Eventually([&] {
    return Give(leader, {KeyStep::kInstall, from, false, 0}).result == KeyResult::kDone;
  }));
  // It said so, and tried again.
  ASSERT_TRUE(Eventually([&] { return log_->errors >= errors + 2; }));
  const KeyReport refused = Give(*nodes[0], {KeyStep::kUse, from, false, 0});
  EXPECT_EQ(refused.result, KeyResult::kNotAcknowledged);
  EXPECT_THAT(refused.missing, testing::Contains(full.config.slot));
  EXPECT_EQ(Read(full), std::vector<Key>{key_});
  fs::remove(obstacle);
  EXPECT_TRUE(Do(*nodes[0], KeyStep::kUse, from));
  EXPECT_EQ(Read(full), Read(*nodes[0]));
}

TEST_F(KeyRotationTest, NodesThatShareOneFileLeaveItWhole) {
  std::vector<TestNode*> nodes;
  for (int i = 1; i <= 3; ++i) {
    TestNode& node = Add(i);
    node.key_file = nodes_.front()->key_file;
    nodes.push_back(&Start(node));
  }
  ASSERT_TRUE(
      Eventually([&] { return CommonLeader(nodes) != nullptr && Names(*nodes[0]).size() == 3; }));
  ASSERT_TRUE(Rotate(*nodes[0]) && Rotate(*nodes[1]) && Rotate(*nodes[2]));
  const std::vector<Key> keys = Read(*nodes[0]);
  ASSERT_EQ(keys.size(), 2U);
  // A node that was not there finds its way in with it.
  nodes[2]->driver->Abandon();
  ASSERT_TRUE(Eventually([&] { return Give(*nodes[0], {}).members == 2; }));
  StartAgain(*nodes[2]);
  EXPECT_TRUE(Eventually([&] { return Names(*nodes[0]).size() == 3; }));
}

TEST_F(KeyRotationTest, OrdersAreAnsweredAlsoWhenThereIsNobodyToAnswer) {
  TestNode& alone = Start(Add(1));
  EXPECT_EQ(Give(alone, {}).result, KeyResult::kNoLeader);
  auto answer = std::make_shared<std::promise<KeyReport>>();
  alone.driver->OrderKeys({}, [answer](const KeyReport& report) { answer->set_value(report); });
  alone.driver->Leave();
  EXPECT_EQ(answer->get_future().get().result, KeyResult::kNoLeader);
  EXPECT_EQ(Give(alone, {}).result, KeyResult::kNoLeader) << "after the end";
}

}  // namespace
}  // namespace radix::flock
