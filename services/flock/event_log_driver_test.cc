#include "services/flock/event_log_driver.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>

namespace radix::flock {
namespace {

constexpr Instant kStart{1000s};
constexpr MemberId kSelf{0, 10};

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

  void Add(const Event& event) { log_.Add(event); }
  std::vector<Happening> Named() const { return log_.Name(log_.history().Last(10)); }
  // `member` is called `name`.
  void Introduce(const MemberId& member, const std::string& name) {
    naming_.HandleLive(member, kStart);
    naming_.HandleIntroduction(member, {name, {}});
  }

  std::shared_ptr<LogLines> sink_;
  AddressRanges ranges_ = *AddressRanges::Parse({"127.88.0.1-127.88.0.9"});
  Naming naming_{kSelf, {"n1", {}}};
  EventLogDriver log_{ranges_, naming_, kSelf};
};

TEST_F(EventLogDriverTest, SaysWhoAndWhomAndWhyAndUnderWhichEpoch) {
  Introduce({1, 11}, "n2");
  Event died{EventKind::kDied, Evidence::kSuspicionExpired, kStart, {1, 11}, kSelf, 4};
  died.witnesses.accusers = {0, 2};
  died.witnesses.accuser_count = 2;
  Add(died);
  ASSERT_EQ(sink_->lines.size(), 1U);
  EXPECT_EQ(sink_->lines[0],
            "died: n2 (127.88.0.2): not refuted in time; accused by n1 and 127.88.0.3, epoch 4");
}

TEST_F(EventLogDriverTest, NamesAccusersRelaysAndWhoTold) {
  Introduce({2, 12}, "n3");
  Event suspected{EventKind::kSuspected, Evidence::kProbesUnanswered, kStart, {1, 11}, kSelf};
  suspected.witnesses.accuser_count = 1;  // slot 0
  suspected.witnesses.AddRelay(2);
  suspected.witnesses.AddRelay(3);
  suspected.witnesses.AddRelay(2);
  suspected.witnesses.relay_failures = 2;
  Add(suspected);
  Event heard{EventKind::kJoined, Evidence::kHearsay, kStart, {4, 14}, {2, 12}};
  Add(heard);
  const auto named = Named();
  EXPECT_EQ(named[0].detail,
            "no answer to direct probes, nor through n3 and 127.88.0.4 (reports of no answer: 2); "
            "accused by n1");
  EXPECT_FALSE(named[0].reporter) << "this node itself";
  ASSERT_EQ(named[0].relays.size(), 2U);
  EXPECT_EQ(named[0].relays[0].node, "n3");
  EXPECT_EQ(named[0].relays[1].address, "127.88.0.4");
  EXPECT_EQ(named[0].accusers[0].node, "n1");
  EXPECT_EQ(named[1].reporter->node, "n3");
  EXPECT_EQ(named[1].detail, "told by n3");
  // Names that are learnt later are used, too.
  Introduce({4, 14}, "n5");
  EXPECT_EQ(Named()[1].subject.node, "n5");
}

TEST_F(EventLogDriverTest, AStormFillsNoLogAndIsCounted) {
  const Event joined{EventKind::kJoined, Evidence::kContact, kStart, {1, 11}, {1, 11}};
  for (int i = 0; i < 1000; ++i) Add(joined);
  EXPECT_EQ(sink_->lines.size(), EventLogDriver::kLinesMax);
  Event later = joined;
  later.at += 2s;
  Add(later);
  ASSERT_EQ(sink_->lines.size(), EventLogDriver::kLinesMax + 2);
  EXPECT_EQ(sink_->lines[EventLogDriver::kLinesMax], "800 more lines were left out");
}

TEST_F(EventLogDriverTest, AnAlarmThatIsNotKeptIsNotLogged) {
  const Event alarm{EventKind::kAlarm, Evidence::kTwoSealed, kStart, {1, 11}, kSelf};
  Add(alarm);
  Add(alarm);
  EXPECT_EQ(sink_->lines.size(), 1U);
}

TEST_F(EventLogDriverTest, TwoOfOneNameAreToldApartByTheirAddresses) {
  Introduce({1, 11}, "twin");
  Introduce({2, 12}, "twin");
  Add({EventKind::kAlarm, Evidence::kSameName, kStart, {2, 12}, {1, 11}});
  EXPECT_EQ(sink_->lines[0].rfind("alarm: twin (127.88.0.3): another live node, 127.88.0.2,", 0),
            0U);
}

}  // namespace
}  // namespace radix::flock
