#include "fulcrum/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "fulcrum/guests.h"

namespace radix::fulcrum {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class KeeperTest : public testing::Test {
 protected:
  std::vector<Action> Take(Action::Kind kind) {
    std::vector<Action> actions;
    while (auto action = keeper_.PollAction()) {
      if (action->kind == Action::Kind::kWarn) warnings_.push_back(action->text);
      if (action->kind == kind) actions.push_back(*action);
    }
    return actions;
  }
  std::size_t Spawns() { return Take(Action::Kind::kSpawn).size(); }

  void Run(const std::string& service, int pid) {
    keeper_.Keep(service, {}, now_);
    ASSERT_EQ(Spawns(), 1U);
    keeper_.HandleSpawned(service, pid, now_);
  }
  void AdvanceToTimeout() {
    ASSERT_TRUE(keeper_.NextTimeout().has_value());
    now_ = *keeper_.NextTimeout();
    keeper_.HandleTimeout(now_);
  }

  KeeperOptions options_;
  Keeper keeper_{7, options_};
  Instant now_{1h};
  std::vector<std::string> warnings_;
};

TEST_F(KeeperTest, StartsAServiceOnceAndKnowsWhenItServes) {
  Run("reeve", 10);
  keeper_.Keep("reeve", {}, now_);
  EXPECT_EQ(Spawns(), 0U);
  EXPECT_FALSE(keeper_.IsReady("reeve"));
  keeper_.HandleReady("reeve");
  EXPECT_TRUE(keeper_.IsReady("reeve"));
  EXPECT_EQ(keeper_.PidOf("reeve"), 10);
  EXPECT_EQ(keeper_.NameOf(10), "reeve");
}

TEST_F(KeeperTest, StartsAgainWithGrowingWaitsAndSaysLoudlyThatItCrashesInALoop) {
  Run("reeve", 10);
  Duration last{};
  for (int i = 0; i < 4; ++i) {
    keeper_.HandleExit(10 + i, "ended with status 1", now_);
    EXPECT_EQ(Spawns(), 0U);
    const Duration wait = *keeper_.NextTimeout() - now_;
    EXPECT_GE(wait, last);
    last = wait;
    AdvanceToTimeout();
    EXPECT_EQ(Spawns(), 1U);
    keeper_.HandleSpawned("reeve", 11 + i, now_);
  }
  EXPECT_GE(last, 400ms);
  for (const std::string& each : warnings_) EXPECT_THAT(each, testing::Not(HasSubstr("CRASH")));
  keeper_.HandleExit(14, "ended with status 1", now_);
  Take(Action::Kind::kSpawn);
  EXPECT_THAT(warnings_.back(), HasSubstr("CRASH LOOP: 5 times in a row: reeve: ended with"));
}

TEST_F(KeeperTest, AServiceThatRanForLongStartsAgainSoon) {
  Run("reeve", 10);
  for (int i = 0; i < 8; ++i) {
    keeper_.HandleExit(10 + i, "ended", now_);
    AdvanceToTimeout();
    keeper_.HandleSpawned("reeve", 11 + i, now_);
  }
  now_ += options_.stable_after;
  keeper_.HandleExit(18, "ended", now_);
  EXPECT_LE(*keeper_.NextTimeout() - now_, options_.first_wait);
}

TEST_F(KeeperTest, ASpawnThatFailsIsTriedAgain) {
  keeper_.Keep("reeve", {}, now_);
  ASSERT_EQ(Spawns(), 1U);
  keeper_.HandleSpawnFailed("reeve", "no memory", now_);
  AdvanceToTimeout();
  EXPECT_EQ(Spawns(), 1U);
  EXPECT_THAT(warnings_, testing::Contains(HasSubstr("no memory")));
}

TEST_F(KeeperTest, OtherArgumentsReplaceTheProcessOnceTheOldOneHasEnded) {
  keeper_.Keep("steward", {"--epoch", "1"}, now_);
  ASSERT_EQ(Spawns(), 1U);
  keeper_.HandleSpawned("steward", 10, now_);
  keeper_.Keep("steward", {"--epoch", "2"}, now_);
  const auto ended = Take(Action::Kind::kTerminate);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].pid, 10);
  keeper_.HandleExit(10, "ended with status 0", now_);
  const auto spawned = Take(Action::Kind::kSpawn);
  ASSERT_EQ(spawned.size(), 1U);
  EXPECT_EQ(spawned[0].arguments, (std::vector<std::string>{"--epoch", "2"}));
}

TEST_F(KeeperTest, KillsWhatDoesNotEnd) {
  Run("reeve", 10);
  keeper_.End("reeve", now_);
  EXPECT_EQ(Take(Action::Kind::kTerminate).size(), 1U);
  keeper_.HandleTimeout(now_ + options_.stop_limit - 1ms);
  EXPECT_THAT(Take(Action::Kind::kKill), IsEmpty());
  keeper_.HandleTimeout(now_ + options_.stop_limit);
  EXPECT_EQ(Take(Action::Kind::kKill).size(), 1U);
  keeper_.HandleExit(10, "killed", now_ + options_.stop_limit);
  EXPECT_EQ(Spawns(), 0U);
  EXPECT_EQ(keeper_.PidOf("reeve"), 0);
  EXPECT_FALSE(keeper_.NextTimeout().has_value());
}

TEST_F(KeeperTest, EndsWhatWaitsForItsNextStart) {
  Run("reeve", 10);
  keeper_.HandleExit(10, "ended", now_);
  keeper_.End("reeve", now_);
  EXPECT_FALSE(keeper_.NextTimeout().has_value());
  keeper_.HandleTimeout(now_ + 1h);
  EXPECT_EQ(Spawns(), 0U);
}

TEST_F(KeeperTest, AnEndDuringTheSpawnTakesEffectWhenTheProcessExists) {
  keeper_.Keep("steward", {}, now_);
  keeper_.End("steward", now_);
  keeper_.HandleSpawned("steward", 10, now_);
  EXPECT_EQ(Take(Action::Kind::kTerminate).size(), 1U);
}

TEST_F(KeeperTest, KeepAfterEndStartsItAnewOnceItHasEnded) {
  Run("steward", 10);
  keeper_.End("steward", now_);
  keeper_.Keep("steward", {}, now_);
  EXPECT_EQ(Spawns(), 0U);
  keeper_.HandleReady("steward");  // said before it was told to end
  EXPECT_FALSE(keeper_.IsReady("steward"));
  keeper_.HandleExit(10, "ended with status 0", now_);
  EXPECT_EQ(Spawns(), 1U);
}

TEST_F(KeeperTest, ProcessesOfNobodyChangeNothing) {
  Run("reeve", 10);
  keeper_.HandleExit(99, "ended", now_);
  keeper_.HandleExit(0, "ended", now_);
  EXPECT_EQ(keeper_.PidOf("reeve"), 10);
}

TEST(GuestsTest, OneProcessAtATimeHasAnId) {
  Guests guests;
  const Instant now{1h};
  ASSERT_TRUE(guests.Admit("a", now).ok());
  guests.Add("a", 10, "tag", now);
  EXPECT_TRUE(absl::IsAlreadyExists(guests.Admit("a", now)));
  EXPECT_EQ(guests.HandleExit(10, 0, now), "a");
  EXPECT_TRUE(guests.Admit("a", now).ok());
  EXPECT_EQ(guests.HandleExit(10, 0, now), std::nullopt);
}

TEST(GuestsTest, OnlyWhatRunsForPicketMayBeSignalled) {
  Guests guests;
  const Instant now{1h};
  guests.Add("a", 10, "tag", now);
  EXPECT_EQ(guests.Signal("flock", SIGKILL), 0);
  EXPECT_EQ(guests.Signal("a", SIGHUP), 10);
  EXPECT_FALSE(guests.all().at("a").terminated);
  EXPECT_EQ(guests.Signal("a", SIGTERM), 10);
  EXPECT_TRUE(guests.all().at("a").terminated);
  guests.HandleExit(10, 0, now);
  EXPECT_EQ(guests.Signal("a", SIGTERM), 0);
}

TEST(GuestsTest, RemembersForAMinuteWhatHasEnded) {
  Guests guests;
  const Instant now{1h};
  guests.Add("a", 10, "tag", now);
  guests.HandleExit(10, 256, now);
  EXPECT_EQ(guests.running(), 0U);
  EXPECT_EQ(guests.all().at("a").wait_status, 256);
  ASSERT_TRUE(guests.Admit("b", now + 60s).ok());
  EXPECT_TRUE(guests.all().empty());
}

TEST(GuestsTest, IsBounded) {
  Guests guests;
  const Instant now{1h};
  for (std::size_t i = 0; i < Guests::kMost; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(guests.Admit(id, now).ok());
    guests.Add(id, static_cast<int>(i) + 2, "", now);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(guests.Admit("more", now)));
}

}  // namespace
}  // namespace radix::fulcrum
