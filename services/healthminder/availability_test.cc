#include "services/healthminder/availability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::healthminder {
namespace {

using registry::Delta;
using registry::Instance;
using registry::Status;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Instant kStart{1000s};

Instance Make(int port, Status status = Status::kServing) {
  return Instance{{"default", "ntp2", "ntp2_3", "n1", "127.0.0.1:" + std::to_string(port)}, status};
}

TEST(AvailabilityTest, CountsUpTimeOverSeveralLivesAndAges) {
  AvailabilityLog log;
  log.HandleDelta({.snapshot = true, .changes = {Make(1)}}, kStart);
  log.HandleDelta({.changes = {Make(1, Status::kDraining)}}, kStart + 10s);
  auto all = log.List({}, kStart + 15s);
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].instance.status, Status::kDraining);
  EXPECT_EQ(all[0].age, 5s);
  EXPECT_EQ(all[0].up, 15s);
  log.HandleDelta({.changes = {Make(1, Status::kDead)}}, kStart + 20s);
  log.HandleDelta({.changes = {Make(1)}}, kStart + 50s);
  all = log.List({}, kStart + 60s);
  EXPECT_EQ(all[0].age, 10s);
  EXPECT_EQ(all[0].up, 30s);
  EXPECT_EQ(all[0].flaps, 1U);
}

TEST(AvailabilityTest, ARestartAtAnotherPortIsAFlapOfTheSame) {
  AvailabilityLog log;
  log.HandleDelta({.snapshot = true, .changes = {Make(1)}}, kStart);
  log.HandleDelta({.changes = {Make(1, Status::kDead), Make(2)}}, kStart + 1s);
  log.HandleDelta({.changes = {Make(2, Status::kDead), Make(3)}}, kStart + 2s);
  const auto all = log.List({}, kStart + 2s);
  ASSERT_THAT(all, SizeIs(3));
  for (const Availability& each : all) EXPECT_EQ(each.flaps, 2U);
}

TEST(AvailabilityTest, ASnapshotBuriesWhatItDoesNotNameAndARepeatedOneChangesNothing) {
  AvailabilityLog log;
  log.HandleDelta({.snapshot = true, .changes = {Make(1), Make(2)}}, kStart);
  log.HandleDelta({.snapshot = true, .changes = {Make(2)}}, kStart + 1s);
  log.HandleDelta({.snapshot = true, .changes = {Make(2)}}, kStart + 2s);
  const auto all = log.List({}, kStart + 3s);
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].instance.status, Status::kDead);
  EXPECT_EQ(all[0].age, 2s);
  EXPECT_EQ(all[0].flaps, 1U);
  EXPECT_EQ(all[1].up, 3s);
}

TEST(AvailabilityTest, ARestartedReeveIsNoFlapOfWhatItHasToLearnAgain) {
  AvailabilityLog log;
  log.HandleDelta({.origin = "a", .snapshot = true, .changes = {Make(1), Make(2)}}, kStart);
  log.HandleDelta({.origin = "b", .snapshot = true}, kStart + 1s);
  log.HandleDelta({.origin = "b", .changes = {Make(1)}}, kStart + 2s);
  auto all = log.List({}, kStart + 11s - 1ns);
  EXPECT_EQ(all[0].flaps + all[1].flaps, 0U);
  all = log.List({}, kStart + 20s);
  EXPECT_EQ(all[0].flaps, 1U);  // the other port's; they share a name
  EXPECT_EQ(all[0].up, 20s);
  EXPECT_EQ(all[1].instance.status, Status::kDead);
  EXPECT_EQ(all[1].age, 9s);
}

TEST(AvailabilityTest, ForgetsTheDeadAfterAnHourButNotTheLiving) {
  AvailabilityLog log;
  log.HandleDelta({.snapshot = true, .changes = {Make(1), Make(2)}}, kStart);
  log.HandleDelta({.changes = {Make(1, Status::kDead)}}, kStart);
  EXPECT_THAT(log.List({}, kStart + 1h - 1ns), SizeIs(2));
  EXPECT_THAT(log.List({}, kStart + 1h), SizeIs(1));
  EXPECT_THAT(log.List({.horde = "radix"}, kStart), IsEmpty());
}

}  // namespace
}  // namespace radix::healthminder
