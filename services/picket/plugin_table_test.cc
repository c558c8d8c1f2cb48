#include "services/picket/plugin_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace radix::picket {
namespace {

using testing::HasSubstr;

PluginSpec Spec(const std::string& id, const std::string& owner = "galumph") {
  return {.id = id, .owner = owner, .file = "/bin/true"};
}

class PluginTableTest : public testing::Test {
 protected:
  std::vector<Order> Orders(Order::Kind kind) {
    std::vector<Order> orders;
    while (auto order = table_.PollOrder()) {
      if (order->kind == kind) orders.push_back(*order);
    }
    return orders;
  }
  std::size_t Launches() { return Orders(Order::Kind::kLaunch).size(); }

  // Starts `spec` under epoch 1, as process `pid`.
  void Run(const PluginSpec& spec, int pid) {
    ASSERT_TRUE(table_.Start(spec.owner == kDean ? 0 : 1, spec, now_).ok());
    ASSERT_EQ(Launches(), 1U);
    table_.HandleSpawned(spec.id, pid, now_);
    ASSERT_EQ(table_.Find(spec.id)->state, PluginState::kRunning);
  }

  // Lets time pass until something is due.
  void AdvanceToTimeout() {
    ASSERT_TRUE(table_.NextTimeout().has_value());
    now_ = std::max(now_, *table_.NextTimeout());
    table_.HandleTimeout(now_);
  }

  TableOptions options_;
  PluginTable table_{7, options_};
  Instant now_{1h};
};

TEST_F(PluginTableTest, StartsOnceHoweverOftenItIsAsked) {
  ASSERT_TRUE(table_.Start(1, Spec("a"), now_).ok());
  ASSERT_TRUE(table_.Start(1, Spec("a"), now_).ok());
  EXPECT_EQ(Launches(), 1U);
  EXPECT_TRUE(table_.starting("a"));
  table_.HandleSpawned("a", 10, now_);
  EXPECT_TRUE(table_.PollOutcome()->status.ok());
  ASSERT_TRUE(table_.Start(1, Spec("a"), now_).ok());
  EXPECT_EQ(Launches(), 0U);
  EXPECT_EQ(table_.Find("a")->pid, 10);
}

TEST_F(PluginTableTest, ShowsWhatADoorRefusedUntilThatIsOver) {
  Run(Spec("a"), 10);
  const std::uint64_t before = table_.revision();
  table_.HandleRefusals({{"a", {"default", "x", "x_9"}}, {"nobody", {}}});
  EXPECT_GT(table_.revision(), before);
  EXPECT_EQ(table_.Find("a")->refused, (Registration{"default", "x", "x_9"}));
  const std::uint64_t after = table_.revision();
  table_.HandleRefusals({{"a", {"default", "x", "x_9"}}});
  EXPECT_EQ(table_.revision(), after);
  table_.HandleRefusals({});
  EXPECT_FALSE(table_.Find("a")->refused);
}

TEST_F(PluginTableTest, RefusesAnotherSpecificationUnderARunningId) {
  Run(Spec("a"), 10);
  PluginSpec other = Spec("a");
  other.args = {"--loud"};
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Start(1, other, now_)));
  EXPECT_EQ(Launches(), 0U);
}

TEST_F(PluginTableTest, RefusesAnEpochThatIsOverAndNamesItsOwn) {
  ASSERT_TRUE(table_.Start(5, Spec("a"), now_).ok());
  const absl::Status start = table_.Start(4, Spec("b"), now_);
  EXPECT_TRUE(absl::IsFailedPrecondition(start));
  EXPECT_THAT(std::string(start.message()), HasSubstr("epoch 5"));
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Stop(4, "a", 1s, now_)));
  EXPECT_FALSE(table_.Find("b").has_value());
}

TEST_F(PluginTableTest, AsksThatTheGreatestEpochBeRememberedAndHonoursIt) {
  ASSERT_TRUE(table_.Stop(5, "nothing", 1s, now_).ok());
  const auto fences = Orders(Order::Kind::kFence);
  ASSERT_EQ(fences.size(), 1U);
  EXPECT_EQ(fences[0].epoch, 5U);
  PluginTable next(8, options_);
  next.ResumeFence(5);
  EXPECT_TRUE(absl::IsFailedPrecondition(next.Start(4, Spec("a"), now_)));
}

TEST_F(PluginTableTest, EpochZeroIsForTheNodesOwnDeanOnly) {
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Start(0, Spec("a"), now_)));
  ASSERT_TRUE(table_.Start(9, Spec("b"), now_).ok());
  EXPECT_TRUE(table_.Start(0, Spec("pastiche", kDean), now_).ok());  // whatever the epoch
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Stop(9, "pastiche", 1s, now_)));
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Stop(0, "b", 1s, now_)));
  EXPECT_TRUE(table_.Stop(0, "pastiche", 1s, now_).ok());
}

TEST_F(PluginTableTest, NobodyElseSpeaksForFulcrum) {
  EXPECT_TRUE(absl::IsInvalidArgument(table_.Start(1, Spec("a", kFulcrum), now_)));
  table_.Want({Spec("dean", kFulcrum)}, now_);
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Stop(1, "dean", 1s, now_)));
}

TEST_F(PluginTableTest, StartsAgainWithGrowingWaits) {
  Run(Spec("a"), 10);
  Duration last{};
  for (int i = 1; i <= 4; ++i) {
    table_.HandleExit("a", 9 + i, "exited with status 3", now_);
    EXPECT_EQ(table_.Find("a")->state, PluginState::kBackoff);
    EXPECT_EQ(table_.Find("a")->last_exit, "exited with status 3");
    EXPECT_EQ(Launches(), 0U);
    const Duration wait = *table_.NextTimeout() - now_;
    EXPECT_GE(wait, last);
    last = wait;
    AdvanceToTimeout();
    EXPECT_EQ(Launches(), 1U);
    table_.HandleSpawned("a", 10 + i, now_);
    EXPECT_EQ(table_.Find("a")->restart_count, i);
  }
  EXPECT_GE(last, 800ms);  // half of the fourth wait at least
}

TEST_F(PluginTableTest, SaysLoudlyThatAPluginCrashesInALoopUntilItRanForLong) {
  Run(Spec("a"), 10);
  for (int i = 0; i < options_.crash_loop_after; ++i) {
    table_.HandleExit("a", 10 + i, "exited with status 3", now_);
    if (i + 1 < options_.crash_loop_after) {
      EXPECT_THAT(table_.Find("a")->last_exit, testing::Not(HasSubstr("crash loop")));
    }
    AdvanceToTimeout();
    table_.HandleSpawned("a", 11 + i, now_);
  }
  EXPECT_THAT(table_.Find("a")->last_exit, HasSubstr("crash loop, 5 times"));
  now_ += options_.stable_after;
  table_.HandleExit("a", 15, "exited with status 3", now_);
  EXPECT_EQ(table_.Find("a")->last_exit, "exited with status 3");
  EXPECT_LE(*table_.NextTimeout() - now_, options_.first_wait);
}

TEST_F(PluginTableTest, AStopTerminatesThenKillsAndStartsNothing) {
  Run(Spec("a"), 10);
  ASSERT_TRUE(table_.Stop(1, "a", 3s, now_).ok());
  EXPECT_EQ(Orders(Order::Kind::kTerminate).size(), 1U);
  EXPECT_EQ(table_.Find("a")->state, PluginState::kStopping);
  table_.HandleTimeout(now_ + 2s);
  EXPECT_TRUE(Orders(Order::Kind::kKill).empty());
  now_ += 3s;
  table_.HandleTimeout(now_);
  EXPECT_EQ(Orders(Order::Kind::kKill).size(), 1U);
  table_.HandleExit("a", 10, "killed by signal 9 (Killed)", now_);
  EXPECT_EQ(table_.Find("a")->state, PluginState::kStopped);
  EXPECT_EQ(Launches(), 0U);
}

TEST_F(PluginTableTest, ListsWhatWasStoppedForAMinute) {
  Run(Spec("a"), 10);
  ASSERT_TRUE(table_.Stop(1, "a", 3s, now_).ok());
  table_.HandleExit("a", 10, "exited with status 0", now_);
  table_.HandleTimeout(now_ + 59s);
  EXPECT_TRUE(table_.Find("a").has_value());
  table_.HandleTimeout(now_ + 60s);
  EXPECT_FALSE(table_.Find("a").has_value());
}

TEST_F(PluginTableTest, AStopDuringTheStartEndsTheProcessOnceItExists) {
  ASSERT_TRUE(table_.Start(1, Spec("a"), now_).ok());
  ASSERT_TRUE(table_.Stop(1, "a", 3s, now_).ok());
  EXPECT_TRUE(absl::IsAborted(table_.PollOutcome()->status));
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Start(1, Spec("a"), now_)));
  table_.HandleSpawned("a", 10, now_);
  EXPECT_EQ(Orders(Order::Kind::kTerminate).size(), 1U);
  table_.HandleExit("a", 10, "exited with status 0", now_);
  EXPECT_EQ(table_.Find("a")->state, PluginState::kStopped);
}

TEST_F(PluginTableTest, AStopDuringTheWaitForTheNextStartIsAtOnce) {
  Run(Spec("a"), 10);
  table_.HandleExit("a", 10, "exited with status 3", now_);
  ASSERT_TRUE(table_.Stop(1, "a", 3s, now_).ok());
  EXPECT_EQ(table_.Find("a")->state, PluginState::kStopped);
  table_.HandleTimeout(now_ + 30s);
  EXPECT_EQ(Launches(), 0U);
}

TEST_F(PluginTableTest, AFirstStartThatFailsLeavesNothingBehind) {
  ASSERT_TRUE(table_.Start(1, Spec("a"), now_).ok());
  table_.HandleLaunchFailed("a", absl::NotFoundError("no such file"), now_);
  EXPECT_TRUE(absl::IsNotFound(table_.PollOutcome()->status));
  EXPECT_FALSE(table_.Find("a").has_value());
}

TEST_F(PluginTableTest, ALaterStartThatFailsIsTriedAgain) {
  Run(Spec("a"), 10);
  table_.HandleExit("a", 10, "exited with status 3", now_);
  AdvanceToTimeout();
  ASSERT_EQ(Launches(), 1U);
  table_.HandleLaunchFailed("a", absl::NotFoundError("no such file"), now_);
  EXPECT_THAT(table_.Find("a")->last_exit, HasSubstr("no such file"));
  AdvanceToTimeout();
  EXPECT_EQ(Launches(), 1U);
}

TEST_F(PluginTableTest, RunsExactlyWhatFulcrumWants) {
  PluginSpec proctor = Spec("proctor", kFulcrum);
  proctor.args = {"--epoch", "1"};
  table_.Want({Spec("dean", kFulcrum), proctor}, now_);
  EXPECT_EQ(Launches(), 2U);
  table_.HandleSpawned("dean", 10, now_);
  table_.HandleSpawned("proctor", 11, now_);
  proctor.args = {"--epoch", "2"};
  table_.Want({Spec("dean", kFulcrum), proctor}, now_);
  EXPECT_EQ(Launches(), 0U);  // the one of the old epoch ends first
  table_.HandleExit("proctor", 11, "exited with status 0", now_);
  const auto launches = Orders(Order::Kind::kLaunch);
  ASSERT_EQ(launches.size(), 1U);
  EXPECT_EQ(launches[0].spec, proctor);
  table_.HandleSpawned("proctor", 12, now_);
  table_.Want({Spec("dean", kFulcrum)}, now_);
  table_.HandleExit("proctor", 12, "exited with status 0", now_);
  EXPECT_EQ(Launches(), 0U);
  EXPECT_EQ(table_.Find("dean")->pid, 10);
}

TEST_F(PluginTableTest, KeepsWhatAnEarlierPicketLeft) {
  table_.Adopt({.spec = Spec("runs"), .pid = 10, .started_at = now_ - 1min}, now_);
  table_.Adopt({.spec = Spec("told"), .pid = 11, .terminated = true}, now_);
  table_.Adopt({.spec = Spec("crashed"), .pid = 12, .ended = "exited with status 3"}, now_);
  table_.Adopt({.spec = Spec("ended"), .pid = 13, .terminated = true, .ended = "exited"}, now_);
  EXPECT_EQ(table_.Find("runs")->state, PluginState::kRunning);
  EXPECT_EQ(table_.Find("runs")->pid, 10);
  EXPECT_EQ(table_.Find("told")->state, PluginState::kStopping);
  EXPECT_EQ(table_.Find("crashed")->state, PluginState::kBackoff);
  EXPECT_EQ(table_.Find("ended")->state, PluginState::kStopped);
  EXPECT_EQ(Launches(), 0U);
  ASSERT_TRUE(table_.Start(1, Spec("runs"), now_).ok());
  EXPECT_EQ(Launches(), 0U);
  table_.HandleTimeout(now_ + 1s);
  const auto launches = Orders(Order::Kind::kLaunch);
  ASSERT_EQ(launches.size(), 1U);
  EXPECT_EQ(launches[0].id, "crashed");
}

TEST_F(PluginTableTest, IgnoresTheEndOfAProcessThatIsNotItsOwn) {
  Run(Spec("a"), 10);
  table_.HandleExit("a", 9, "exited with status 0", now_);
  table_.HandleExit("b", 10, "exited with status 0", now_);
  EXPECT_EQ(table_.Find("a")->state, PluginState::kRunning);
}

TEST_F(PluginTableTest, StopsEverythingWhenTheNodeEnds) {
  table_.Want({Spec("dean", kFulcrum)}, now_);
  table_.HandleSpawned("dean", 10, now_);
  EXPECT_EQ(Launches(), 1U);
  Run(Spec("a"), 11);
  table_.StopAll(now_);
  EXPECT_EQ(Orders(Order::Kind::kTerminate).size(), 2U);
  table_.HandleExit("dean", 10, "exited with status 0", now_);
  EXPECT_EQ(Launches(), 0U);
  EXPECT_FALSE(table_.Start(1, Spec("b"), now_).ok());
}

TEST_F(PluginTableTest, IsBounded) {
  options_.most = 3;
  PluginTable table(7, options_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(table.Start(1, Spec(std::to_string(i)), now_).ok());
    table.HandleSpawned(std::to_string(i), 10 + i, now_);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(table.Start(1, Spec("more"), now_)));
  for (int i = 0; i < 100; ++i) {
    const std::string id = "short-" + std::to_string(i);
    ASSERT_TRUE(table.Stop(1, i == 0 ? "0" : "short-" + std::to_string(i - 1), 1s, now_).ok());
    table.HandleExit(i == 0 ? "0" : "short-" + std::to_string(i - 1), i == 0 ? 10 : 99 + i, "x",
                     now_);
    ASSERT_TRUE(table.Start(1, Spec(id), now_).ok());
    table.HandleSpawned(id, 100 + i, now_);
    ASSERT_LE(table.List().size(), 6U);
  }
}

}  // namespace
}  // namespace radix::picket
