// What reeve makes of the group's decisions, which its dean tells it.

#include "services/reeve/reeve_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/serve.h"
#include "services/registry/pulled_stream.h"
#include "services/trust/trust_service.h"
#include "tests/wait.h"

namespace radix::reeve {
namespace {

using testing::ElementsAre;
using trust::Rules;

// Tells what the test says to whoever watches, and to whoever comes; nothing before the first.
class FakeDean final : public proctor::v1::DeanService::CallbackService {
 public:
  void Say(proctor::v1::WatchDecisionsResponse decisions) {
    {
      const std::lock_guard lock(mutex_);
      decisions_ = std::move(decisions);
      ++revision_;
    }
    streams_.WakeAll();
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void EndStreams() { streams_.EndAll(grpc::Status::CANCELLED); }

 private:
  using Stream = registry::PulledStream<proctor::v1::WatchDecisionsResponse>;

  grpc::ServerWriteReactor<proctor::v1::WatchDecisionsResponse>* WatchDecisions(
      grpc::CallbackServerContext*, const proctor::v1::WatchDecisionsRequest* request) override {
    auto stream = Stream::Create();
    streams_.Add(stream);
    {
      const std::lock_guard lock(mutex_);
      asked_ = {request->kind()};
      for (const std::string& kind : request->more_kinds()) asked_.push_back(kind);
    }
    auto told = std::make_shared<int>(0);
    stream->Begin(
        [this, told](proctor::v1::WatchDecisionsResponse& response) {
          const std::lock_guard lock(mutex_);
          if (*told == revision_) return false;
          *told = revision_;
          response = decisions_;
          return true;
        },
        [this, stream] { streams_.Remove(stream); });
    return stream.get();
  }

  std::mutex mutex_;
  proctor::v1::WatchDecisionsResponse decisions_;
  int revision_ = 0;
  std::vector<std::string> asked_;
  registry::StreamSet<Stream> streams_{64};
};

// Keeps what is logged.
class LogText final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  bool Has(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return text_.find(text) != std::string::npos;
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    text_.append(message.payload.begin(), message.payload.end()).append("\n");
  }
  void flush_() override {}

  std::string text_;
};

class ReeveDecisionsTest : public testing::Test {
 protected:
  ReeveDecisionsTest() {
    std::string pattern = testing::TempDir() + "/reeve-XXXXXX";
    node_ = {
        .name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = mkdtemp(pattern.data())};
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_));
    StartDean();
    trust_.current_rules().OnChange([this](const auto&) { ++changes_; });
    reeve_ = std::make_unique<ReeveServiceImpl>(node_, std::uint16_t{7118}, trust_, pairing_);
  }
  ~ReeveDecisionsTest() override {
    reeve_.reset();
    StopDean();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
    std::filesystem::remove_all(node_.state);
  }

  void StartDean() {
    dean_server_ = *confab::Server::Start(
        node_, {.socket = "dean"}, {{&dean_, proctor::v1::DeanService::service_full_name()}});
  }
  void StopDean() {
    dean_.EndStreams();
    dean_server_->Shutdown(1s);
    dean_server_.reset();
  }

  // Says that the operators' rules are these; nullopt: they decided none.
  void Say(const std::optional<std::string>& text, std::int64_t revision = 1) {
    proctor::v1::WatchDecisionsResponse decisions;
    decisions.set_revision(revision);
    if (text) {
      proctor::v1::Decision& rules = *decisions.add_decisions();
      rules.set_kind("rules");
      rules.set_key("operators");
      rules.set_value(*text);
    }
    dean_.Say(decisions);
  }

  bool GoesBy(const std::string& text) {
    const auto expected = *Rules::Parse(text);
    return Eventually([&] {
      const auto rules = trust_.current_rules().rules();
      return rules != nullptr && *rules == expected;
    });
  }

  std::shared_ptr<LogText> log_ = std::make_shared<LogText>();
  confab::Node node_;
  FakeDean dean_;
  std::unique_ptr<confab::Server> dean_server_;
  trust::TrustServiceImpl trust_;
  trust::PairingServiceImpl pairing_{node_, std::uint16_t{7117}, 1};
  std::atomic<int> changes_ = 0;
  std::unique_ptr<ReeveServiceImpl> reeve_;
};

TEST_F(ReeveDecisionsTest, NobodyKnowsTheRulesBeforeDeanSaidThem) {
  ASSERT_TRUE(Eventually([&] { return !dean_.asked().empty(); }));
  EXPECT_THAT(dean_.asked(), ElementsAre("revoked", "rules", "horde"));
  EXPECT_EQ(trust_.current_rules().rules(), nullptr);
  Say(std::nullopt);
  EXPECT_TRUE(GoesBy("")) << "where none were decided, only what is built in is allowed";
  Say("call a/b c/d\n");
  EXPECT_TRUE(GoesBy("call a/b c/d\n"));
  EXPECT_EQ(changes_, 2);
}

TEST_F(ReeveDecisionsTest, ADeanThatLostItsDiskChangesNothing) {
  Say("call a/b c/d\n", 7);
  ASSERT_TRUE(GoesBy("call a/b c/d\n"));
  Say(std::nullopt, 0);
  EXPECT_TRUE(Eventually([&] { return log_->Has("dean has lost what the group decided"); }));
  EXPECT_TRUE(GoesBy("call a/b c/d\n"));
  Say("call a/b c/e\n", 8);
  EXPECT_TRUE(GoesBy("call a/b c/e\n"));
}

TEST_F(ReeveDecisionsTest, WithoutDeanTheLastRulesStay) {
  Say("call a/b c/d\n");
  ASSERT_TRUE(GoesBy("call a/b c/d\n"));
  StopDean();
  StartDean();
  Say("call a/b c/e\n");
  EXPECT_TRUE(GoesBy("call a/b c/e\n"));
  EXPECT_EQ(changes_, 2) << "and nobody was told of anything between";
}

TEST_F(ReeveDecisionsTest, RulesThatCannotBeReadChangeNothingAndTheLogNamesTheLine) {
  Say("call a/b c/d\n");
  ASSERT_TRUE(GoesBy("call a/b c/d\n"));
  Say("call a/b c/d\nlet a/b in\n");
  EXPECT_TRUE(Eventually([&] {
    return log_->Has("rules: line 2: is not '[deny] call") &&
           log_->Has("the rules before stay until they are mended");
  }));
  EXPECT_TRUE(GoesBy("call a/b c/d\n"));
  Say("call a/b c/e\n");
  EXPECT_TRUE(GoesBy("call a/b c/e\n"));
  EXPECT_EQ(changes_, 2);
}

TEST_F(ReeveDecisionsTest, RulesThatCannotBeReadAndComeFirstAllowNobodyAnything) {
  Say("let a/b in\n");
  EXPECT_TRUE(GoesBy(""));
  EXPECT_TRUE(log_->Has("only what is built in is allowed until they are mended"));
}

}  // namespace
}  // namespace radix::reeve
