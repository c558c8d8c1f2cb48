#include "fulcrum/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "services/confab/random.h"

namespace radix::fulcrum {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WatchdogTest : public testing::Test {
 protected:
  // Lets time pass as a supervisor that runs sees it; who was silent for too long meanwhile.
  std::vector<int> Pass(Duration time, const std::vector<int>& speaking = {}) {
    std::vector<int> silent;
    const Instant end = now_ + time;
    while (now_ < end) {
      now_ = std::min(end, watchdog_.NextTimeout().value_or(end));
      for (const int pid : speaking) watchdog_.HandleAlive(pid, now_);
      for (const auto& each : watchdog_.HandleTimeout(now_)) silent.push_back(each.pid);
    }
    return silent;
  }

  WatchdogOptions options_;
  Watchdog watchdog_{options_};
  Instant now_{1h};
};

TEST_F(WatchdogTest, WhoSaysThatItIsAliveIsLeftAlone) {
  watchdog_.Watch(10, now_);
  EXPECT_THAT(Pass(1h, {10}), IsEmpty());
}

TEST_F(WatchdogTest, WhoFallsSilentIsFoundAfterTheLimitAndNotBefore) {
  watchdog_.Watch(10, now_);
  watchdog_.Watch(11, now_);
  Pass(30s, {10, 11});
  EXPECT_THAT(Pass(options_.silence - 1ms, {11}), IsEmpty());
  EXPECT_THAT(Pass(1ms, {11}), ElementsAre(10));
}

TEST_F(WatchdogTest, WhoDoesNotDieIsFoundAgain) {
  watchdog_.Watch(10, now_);
  Pass(1s, {10});
  EXPECT_THAT(Pass(options_.silence * 3), ElementsAre(10, 10, 10));
}

TEST_F(WatchdogTest, AServiceThatStartsHasMoreTime) {
  watchdog_.Watch(10, now_);
  EXPECT_THAT(Pass(options_.start - 1ms), IsEmpty());
  EXPECT_THAT(Pass(1ms), ElementsAre(10));
}

TEST_F(WatchdogTest, ASuccessorUnderTheSameNumberStartsAnew) {
  watchdog_.Watch(10, now_);
  Pass(9s, {10});
  Pass(9s);
  watchdog_.Forget(10);
  watchdog_.Watch(10, now_);
  EXPECT_THAT(Pass(options_.start - 1ms), IsEmpty());
}

TEST_F(WatchdogTest, WhoIsForgottenIsNotMissed) {
  watchdog_.Watch(10, now_);
  Pass(1s, {10});
  watchdog_.Forget(10);
  watchdog_.HandleAlive(10, now_);  // it said so before it ended
  EXPECT_THAT(Pass(1h), IsEmpty());
  EXPECT_EQ(watchdog_.NextTimeout(), std::nullopt);
}

TEST_F(WatchdogTest, TimeInWhichTheSupervisorDidNotRunIsNobodysSilence) {
  watchdog_.Watch(10, now_);
  Pass(5s, {10});
  now_ += 1h;  // all of the node was stopped
  EXPECT_THAT(watchdog_.HandleTimeout(now_), IsEmpty());
  EXPECT_THAT(Pass(options_.silence - options_.look - 1ms), IsEmpty());
  EXPECT_THAT(Pass(1ms), ElementsAre(10)) << "it has its time anew, but not for ever";
}

TEST_F(WatchdogTest, AClockThatStepsBackChangesNothing) {
  watchdog_.Watch(10, now_);
  Pass(5s, {10});
  EXPECT_THAT(watchdog_.HandleTimeout(now_ - 1h), IsEmpty());
  EXPECT_THAT(Pass(options_.silence - 1ms), IsEmpty());
}

// Twenty services for an hour of a node that is stopped again and again, for up to ten minutes,
// and whose supervisor is late by up to a second: none that lives is ever taken for hung, and all
// that hang are found, in time.
TEST(WatchdogSimTest, FindsExactlyThoseThatHang) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const WatchdogOptions options;
    Watchdog watchdog(options);
    Instant now{1h};
    std::map<int, Duration> hung;  // for how long, in time in which the node ran
    std::map<int, Duration> speaks_in;
    for (int pid = 1; pid <= 20; ++pid) {
      watchdog.Watch(pid, now);
      watchdog.HandleAlive(pid, now);
      speaks_in[pid] = 1s;
    }
    for (Duration run{}; run < 1h;) {
      if (random.Below(200) == 0) now += random.Between(0s, 10min);  // all of the node is stopped
      const Duration step = *watchdog.NextTimeout() - now + random.Between(0ms, 900ms);
      const Duration ran = std::max<Duration>(step, 1ms);
      run += ran;
      now += ran;
      for (auto& [pid, in] : speaks_in) {
        if (const auto since = hung.find(pid); since != hung.end()) {
          since->second += ran;
        } else if (random.Below(5000) == 0) {
          hung[pid] = 0s;
        } else if ((in -= ran) <= 0s) {
          watchdog.HandleAlive(pid, now);
          in = random.Between(1s, 3s);
        }
      }
      for (const auto& [pid, silence] : watchdog.HandleTimeout(now)) {
        ASSERT_EQ(silence / 1s, options.silence / 1s);
        ASSERT_TRUE(hung.contains(pid)) << "seed " << seed << ": " << pid << " lives";
        hung.erase(pid);
        watchdog.Forget(pid);
        watchdog.Watch(pid, now);  // its successor
        watchdog.HandleAlive(pid, now);
        speaks_in[pid] = 1s;
      }
      for (const auto& [pid, since] : hung) {
        // What counts of each second that was late is a second: 1.9 s may count as one.
        ASSERT_LT(since, 2 * options.silence + 4s) << "seed " << seed << ": " << pid << " hangs";
      }
    }
  }
}

}  // namespace
}  // namespace radix::fulcrum
