#include "services/flock/event_log_driver.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>

namespace radix::flock {
namespace {

constexpr Instant kStart{1000s};

// Keeps what is logged.
class LogLines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<std::string> lines;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines.emplace_back(message.payload.begin(), message.payload.end());
  }
  void flush_() override {}
};

class EventLogDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    sink_ = std::make_shared<LogLines>();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink_));
  }

  void Add(const std::string& subject, EventLogDriver::Level level, Instant now,
           const std::string& reporter = "") {
    log_.Add({.kind = "died", .subject = subject, .epoch = 4, .detail = "no answer"}, level,
             "n2 (" + subject + ")", reporter, now);
  }

  std::shared_ptr<LogLines> sink_;
  EventLogDriver log_;
};

TEST_F(EventLogDriverTest, SaysWhoAndWhomAndWhyAndUnderWhichEpoch) {
  Add("127.88.0.2", EventLogDriver::Level::kInfo, kStart, "n3 (127.88.0.3)");
  ASSERT_EQ(sink_->lines.size(), 1U);
  EXPECT_EQ(sink_->lines[0], "died: n2 (127.88.0.2): no answer, says n3 (127.88.0.3), epoch 4");
}

TEST_F(EventLogDriverTest, KeepsTheLastThousandOldestFirst) {
  for (int i = 0; i < 1500; ++i) {
    Add(std::to_string(i), EventLogDriver::Level::kDebug, kStart + i * 1s);
  }
  const auto kept = log_.List();
  ASSERT_EQ(kept.size(), EventLogDriver::kKept);
  EXPECT_EQ(kept.front().subject, "500");
  EXPECT_EQ(kept.back().subject, "1499");
}

TEST_F(EventLogDriverTest, AStormFillsNoLogAndIsCounted) {
  for (int i = 0; i < 1000; ++i) Add(std::to_string(i), EventLogDriver::Level::kInfo, kStart);
  EXPECT_EQ(sink_->lines.size(), EventLogDriver::kLinesMax);
  Add("next", EventLogDriver::Level::kInfo, kStart + 2s);
  ASSERT_EQ(sink_->lines.size(), EventLogDriver::kLinesMax + 2);
  EXPECT_EQ(sink_->lines[EventLogDriver::kLinesMax], "800 more lines were left out");
}

TEST_F(EventLogDriverTest, AnAlarmThatLastsIsSaidOnceAMinute) {
  for (int i = 0; i < 90; ++i) {
    Add("127.88.0.2", EventLogDriver::Level::kError, kStart + i * 1s);
    if (i == 10) Add("127.88.0.3", EventLogDriver::Level::kError, kStart + i * 1s);
  }
  EXPECT_EQ(log_.List().size(), 3U) << "at 0 s and at 60 s, and the other one";
  EXPECT_EQ(sink_->lines.size(), 3U);
}

}  // namespace
}  // namespace radix::flock
