#include "services/heartbeater/liveness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::heartbeater {
namespace {

using registry::Status;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Instant kStart{1000s};

Beat MakeBeat(const std::string& inst, int port, Status status = Status::kServing) {
  registry::Instance instance{{"default", "ntp2", inst, "n1", "127.0.0.1:" + std::to_string(port)},
                              status};
  return {.instance = instance, .validity = 3s};
}

std::vector<std::string> Insts(const Liveness& liveness) {
  std::vector<std::string> insts;
  for (const auto& instance : liveness.table().List()) insts.push_back(instance.inst);
  return insts;
}

TEST(LivenessTest, ABeatRegistersAndLaterOnesRenewWithoutAChange) {
  Liveness liveness;
  const auto first = liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->changed);
  EXPECT_EQ(first->revision, 1U);
  const auto second = liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart + 1s);
  EXPECT_FALSE(second->changed);
  EXPECT_EQ(liveness.NextTimeout(), kStart + 4s);
  const auto draining =
      liveness.HandleBeat(1, MakeBeat("ntp2_3", 1, Status::kDraining), kStart + 2s);
  EXPECT_TRUE(draining->changed);
}

TEST(LivenessTest, SilenceKillsWhenTheLatestBeatRunsOutAndABeatRevives) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  EXPECT_FALSE(liveness.HandleTimeout(kStart + 3s - 1ns));
  EXPECT_THAT(Insts(liveness), ElementsAre("ntp2_3"));
  EXPECT_TRUE(liveness.HandleTimeout(kStart + 3s));
  EXPECT_THAT(Insts(liveness), IsEmpty());
  EXPECT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart + 4s)->changed);
  EXPECT_THAT(Insts(liveness), ElementsAre("ntp2_3"));
  EXPECT_THAT(liveness.List(), SizeIs(1));  // not among the dead any more
}

TEST(LivenessTest, ListsTheDeadForAMinute) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  EXPECT_TRUE(liveness.HandleStreamEnd(1, kStart + 1s));
  ASSERT_THAT(liveness.List(), SizeIs(1));
  EXPECT_EQ(liveness.List()[0].status, Status::kDead);
  EXPECT_EQ(liveness.NextTimeout(), kStart + 61s);
  liveness.HandleTimeout(kStart + 61s);
  EXPECT_THAT(liveness.List(), IsEmpty());
  EXPECT_EQ(liveness.NextTimeout(), Instant::max());
}

TEST(LivenessTest, ADeadBeatWithdraws) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  EXPECT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1, Status::kDead), kStart)->changed);
  EXPECT_THAT(Insts(liveness), IsEmpty());
  EXPECT_FALSE(liveness.HandleStreamEnd(1, kStart));
}

TEST(LivenessTest, AnOlderStreamsEndDoesNotWithdrawWhatANewerOneBeatsFor) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  ASSERT_TRUE(liveness.HandleBeat(2, MakeBeat("ntp2_3", 1), kStart).ok());
  EXPECT_FALSE(liveness.HandleStreamEnd(1, kStart));
  EXPECT_THAT(Insts(liveness), ElementsAre("ntp2_3"));
  EXPECT_TRUE(liveness.HandleStreamEnd(2, kStart));
  EXPECT_THAT(Insts(liveness), IsEmpty());
}

Beat WithProcess(Beat beat) {
  beat.process = Process{7, 7};
  return beat;
}

TEST(LivenessTest, ABrokenStreamOfALivingProcessHoldsUntilItsBeatRunsOut) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, WithProcess(MakeBeat("ntp2_3", 1)), kStart).ok());
  EXPECT_TRUE(liveness.HandleStreamBreak(1));
  EXPECT_THAT(Insts(liveness), ElementsAre("ntp2_3"));
  EXPECT_THAT(liveness.TakeForgotten(), IsEmpty()) << "its process is watched on";
  EXPECT_TRUE(liveness.HandleTimeout(kStart + 3s));
  EXPECT_THAT(Insts(liveness), IsEmpty());
  EXPECT_THAT(liveness.TakeForgotten(), ElementsAre(1));
}

TEST(LivenessTest, AfterABreakAnotherStreamGoesOnAndTheDeathOfTheProcessIsAnEnd) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, WithProcess(MakeBeat("ntp2_3", 1)), kStart).ok());
  EXPECT_TRUE(liveness.HandleStreamBreak(1));
  EXPECT_FALSE(liveness.HandleBeat(2, WithProcess(MakeBeat("ntp2_3", 1)), kStart + 1s)->changed);
  EXPECT_THAT(liveness.TakeForgotten(), ElementsAre(1));
  EXPECT_TRUE(liveness.HandleStreamBreak(2));
  EXPECT_TRUE(liveness.HandleStreamEnd(2, kStart + 2s)) << "its process died";
  EXPECT_THAT(Insts(liveness), IsEmpty());
}

TEST(LivenessTest, ABreakIsAnEndWhereNoProcessIsKnown) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  EXPECT_FALSE(liveness.HandleStreamBreak(1));
  EXPECT_FALSE(liveness.HandleStreamBreak(9)) << "never beat";
}

TEST(LivenessTest, OneStreamCarriesOneInstanceOfOneProcess) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  const auto other = liveness.HandleBeat(1, MakeBeat("ntp2_3", 2), kStart);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  Beat beat = MakeBeat("ntp2_3", 1);
  beat.process = Process{7, 7};
  EXPECT_THAT(std::string(liveness.HandleBeat(1, beat, kStart).status().message()),
              HasSubstr("pid"));
  EXPECT_THAT(liveness.table().List(), SizeIs(1));
}

TEST(LivenessTest, ANewVersionAtTheSameNetIdDisplacesTheOld) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  ASSERT_TRUE(liveness.HandleBeat(2, MakeBeat("ntp2_4", 1), kStart).ok());
  EXPECT_THAT(Insts(liveness), ElementsAre("ntp2_4"));
}

TEST(LivenessTest, WarnsOfANumberOfAnotherWidthOnce) {
  Liveness liveness;
  ASSERT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_9", 1), kStart).ok());
  EXPECT_THAT(liveness.HandleBeat(2, MakeBeat("ntp2_10", 2), kStart)->warning,
              testing::AllOf(HasSubstr("'ntp2_10'"), HasSubstr("beside 'ntp2_9'")));
  EXPECT_EQ(liveness.HandleBeat(2, MakeBeat("ntp2_10", 2), kStart)->warning, "");
  EXPECT_EQ(liveness.HandleBeat(3, MakeBeat("ntp2_10", 3), kStart + 4s)->warning.empty(), false);
}

TEST(LivenessTest, RefusesMoreThanItsBoundAndTakesMoreWhenOneWent) {
  Liveness liveness;
  const int most = static_cast<int>(Liveness::kInstancesMax);
  for (int i = 1; i <= most; ++i) {
    ASSERT_TRUE(liveness.HandleBeat(static_cast<StreamId>(i), MakeBeat("ntp2_3", i), kStart).ok());
  }
  EXPECT_EQ(liveness.HandleBeat(9999, MakeBeat("ntp2_3", 9999), kStart).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(liveness.HandleBeat(1, MakeBeat("ntp2_3", 1), kStart).ok());
  liveness.HandleStreamEnd(1, kStart);
  EXPECT_TRUE(liveness.HandleBeat(9999, MakeBeat("ntp2_3", 9999), kStart).ok());
}

}  // namespace
}  // namespace radix::heartbeater
