#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/confab/charter_file.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/confab/node_key.h"
#include "services/flock/flock_driver.h"
#include "services/flock/introduction_codec.h"
#include "services/flock/state_driver.h"

// Real drivers on loopback addresses, and on a port that nobody else uses, as the tests of the
// driver and of its gRPC face need them.

namespace radix::flock {

// Waits until `condition` holds; false when it does not within 60 s.
inline bool Eventually(const std::function<bool()>& condition) {
  const Instant limit = confab::Now() + 60s;
  while (!condition()) {
    if (confab::Now() > limit) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

// Counts what is logged.
class LogCounter final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::atomic<int> lines = 0;
  std::atomic<int> errors = 0;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    ++lines;
    if (message.level >= spdlog::level::err) ++errors;
  }
  void flush_() override {}
};

// A node: a driver with a state folder of its own, and what it told its supervisor.
struct TestNode {
  confab::Node node;
  std::filesystem::path key_file;  // of its own
  Config config;
  std::mutex mutex;
  std::vector<std::optional<std::uint64_t>> told;
  std::unique_ptr<FlockDriver> driver;

  std::optional<std::uint64_t> leads() {
    const std::lock_guard lock(mutex);
    return told.empty() ? std::nullopt : told.back();
  }
  bool led_at_the_start() {
    const std::lock_guard lock(mutex);
    return told.at(0).has_value();
  }
};

// Nodes of one bloc, with their logs counted instead of printed.
class LoopbackBlocTest : public testing::Test {
 protected:
  void SetUp() override {
    log_ = std::make_shared<LogCounter>();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_));
    std::string folder = testing::TempDir() + "flockXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    Random random(confab::RandomNumber());
    prefix_ = absl::StrCat("127.", 100 + random.Below(100), ".", random.Below(256), ".",
                           16 * random.Below(16));
    prefix_.resize(prefix_.rfind('.') + 1);
    const auto probe =
        confab::UdpSocket::Open({*IpAddress::Parse(prefix_ + "1"), 0}, kDatagramSizeMax);
    port_ = probe->local().port;
    confab::FillRandom(key_);
  }
  void TearDown() override {
    for (auto& node : nodes_) node->driver.reset();
    std::filesystem::remove_all(folder_);
  }

  // `number` from 1 on; its address ends in it.
  TestNode& Add(int number, std::string name = "") {
    auto made = std::make_unique<TestNode>();
    if (name.empty()) name = absl::StrCat("n", number);
    made->node = {name, Address(number), folder_ / absl::StrCat(number), {"KV"}};
    std::filesystem::create_directories(made->node.state);
    Config& config = made->config;
    config.charter = *Charter::Create({.bloc = "test",
                                       .ranges = {prefix_ + "1-" + prefix_ + "3"},
                                       .port = port_,
                                       .key_file = "secondary.key"});
    config.slot = static_cast<std::uint32_t>(number - 1);
    config.boot = confab::RandomNumber();
    config.secondary_keys = {key_};
    config.has_key_file = true;
    made->key_file = made->node.state / "secondary.key";
    EXPECT_TRUE(confab::ReplaceKeyFile(made->key_file, config.secondary_keys, name).ok());
    confab::FillRandom(config.entropy);
    config.identity_seed = *confab::LoadOrMakeNodeKey(made->node.state);
    config.introduction = *EncodeIntroduction({name, made->node.labels});
    config.has_disk = true;
    return *nodes_.emplace_back(std::move(made));
  }

  TestNode& Start(TestNode& node, std::function<void()> on_change = nullptr) {
    auto driver = FlockDriver::Create(node.config, node.node, node.key_file);
    EXPECT_TRUE(driver.ok()) << driver.status();
    node.driver = *std::move(driver);
    node.driver->Begin({.on_change = std::move(on_change),
                        .on_leadership = [&node](std::optional<std::uint64_t> epoch) {
                          const std::lock_guard lock(node.mutex);
                          node.told.push_back(epoch);
                          return true;
                        }});
    return node;
  }

  IpAddress Address(int number) const { return *IpAddress::Parse(absl::StrCat(prefix_, number)); }

  // The live members' names as `node` sees them, if all are known.
  static std::set<std::string> Names(TestNode& node) {
    std::set<std::string> names;
    for (const GroupMember& member : node.driver->View().members) {
      if (IsLive(member.state)) names.insert(member.introduction.name);
    }
    return names;
  }

  // The one whom all of `nodes` take for the sealed leader; nullptr while they do not.
  static TestNode* CommonLeader(const std::vector<TestNode*>& nodes) {
    std::set<MemberId> leaders;
    for (TestNode* node : nodes) {
      const auto sealed = node->driver->View().sealed;
      if (!sealed) return nullptr;
      leaders.insert(sealed->leader);
    }
    if (leaders.size() != 1) return nullptr;
    for (TestNode* node : nodes) {
      if (node->config.boot == leaders.begin()->boot) return node;
    }
    return nullptr;
  }

  std::shared_ptr<LogCounter> log_;
  std::filesystem::path folder_;
  std::string prefix_;
  std::uint16_t port_ = 0;
  Key key_{};
  std::vector<std::unique_ptr<TestNode>> nodes_;
};
}  // namespace radix::flock
