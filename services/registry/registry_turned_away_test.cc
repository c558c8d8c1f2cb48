// A node more than the charter allows: what the registry does with it, and what the logs say.

#include <gmock/gmock.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "services/registry/registry_chain_test.h"

namespace radix::registry {
namespace {

// Keeps what is logged.
class LogLines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // How many lines hold `text`.
  long Count(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return std::count_if(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines_.emplace_back(message.payload.begin(), message.payload.end());
  }
  void flush_() override {}

  std::vector<std::string> lines_;
};

class RegistryTurnedAwayTest : public RegistryChainTest {
 protected:
  void SetUp() override {
    RegistryChainTest::SetUp();
    log_ = std::make_shared<LogLines>();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_));
  }
  bool Connected(int number) { return At(number).State().steward_connected(); }

  std::shared_ptr<LogLines> log_;
};

TEST_F(RegistryTurnedAwayTest, TheStewardNamesWhomItRefusesAndThatNodesReeveSaysSoOnce) {
  charter_ = *Charter::Create({.bloc = "lab",
                               .ranges = {subnet_ + "1-" + subnet_ + "9"},
                               .port = 7117,
                               .at_most = 2,
                               .key_file = "none"});
  StartSteward(1, 7, {3});
  ASSERT_TRUE(Eventually([&] { return Connected(1) && Connected(2); }));
  Lead(1, 7);
  const std::string refusal =
      "ending the stream of n3 (" + Address(3).ToString() + "): there are 2";
  // It tries again and again.
  EXPECT_TRUE(Eventually([&] { return log_->Count(refusal) >= 3; }));
  EXPECT_EQ(log_->Count("no steward takes this node"), 1);
  EXPECT_FALSE(Connected(3));
}

TEST_F(RegistryTurnedAwayTest, WhomFlockTurnsAwayLeavesTheStewardUntilItIsLetIn) {
  StartSteward(1, 7);
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return AllConnected(7) && At(1).Found().size() == 1; }));
  turned_away_ = {3};
  Lead(1, 7);
  EXPECT_TRUE(Eventually([&] { return !Connected(3); }));
  Lead(1, 7);
  EXPECT_TRUE(Connected(1) && Connected(2));
  EXPECT_EQ(log_->Count("no steward takes this node"), 1);
  EXPECT_EQ(At(3).Found().size(), 1U) << "its own services it still knows";
  turned_away_ = {};
  Lead(1, 7);
  EXPECT_TRUE(Eventually([&] { return AllConnected(7); }));
  turned_away_ = {3};
  Lead(1, 7);
  EXPECT_TRUE(Eventually([&] { return log_->Count("no steward takes this node") == 2; }));
}

}  // namespace
}  // namespace radix::registry
