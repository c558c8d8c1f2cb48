#include "fulcrum/guests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace radix::fulcrum {
namespace {

using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

class GuestsTest : public testing::Test {
 protected:
  void Run(const std::string& id, int pid) {
    ASSERT_TRUE(guests_.Admit(id, now_).ok());
    guests_.Add(id, pid, "tag of " + id, now_);
  }

  Guests guests_;
  Instant now_{1h};
};

TEST_F(GuestsTest, RemembersWhatAPicketThatWasReplacedMustKnow) {
  Run("a", 10);
  const Guest& guest = guests_.all().at("a");
  EXPECT_EQ(guest.pid, 10);
  EXPECT_EQ(guest.tag, "tag of a");
  EXPECT_EQ(guest.started_at, now_);
  EXPECT_FALSE(guest.terminated);
  EXPECT_EQ(guest.wait_status, std::nullopt);
}

TEST_F(GuestsTest, AdmitsOneProcessOfEachIdAtATime) {
  Run("a", 10);
  const absl::Status second = guests_.Admit("a", now_);
  EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("process 10"));
  EXPECT_TRUE(guests_.Admit("b", now_).ok());
  EXPECT_EQ(guests_.HandleExit(10, 256, now_), "a");
  Run("a", 11);
  EXPECT_EQ(guests_.all().at("a").pid, 11);
  EXPECT_EQ(guests_.all().at("a").wait_status, std::nullopt) << "that was the one before";
}

TEST_F(GuestsTest, TellsWhoseAProcessWasOnceAndNothingOfStrangers) {
  Run("a", 10);
  EXPECT_EQ(guests_.HandleExit(11, 0, now_), std::nullopt);
  EXPECT_EQ(guests_.HandleExit(10, SIGKILL, now_), "a");
  EXPECT_EQ(guests_.all().at("a").wait_status, SIGKILL);
  // The kernel may give its number to another by now.
  EXPECT_EQ(guests_.HandleExit(10, 0, now_), std::nullopt);
}

TEST_F(GuestsTest, SignalsOnlyWhatRunsAndNotesThatItsEndWasAskedFor) {
  EXPECT_EQ(guests_.Signal("a", SIGTERM), 0);
  Run("a", 10);
  EXPECT_EQ(guests_.Signal("a", SIGHUP), 10);
  EXPECT_FALSE(guests_.all().at("a").terminated);
  EXPECT_EQ(guests_.Signal("a", SIGTERM), 10);
  EXPECT_TRUE(guests_.all().at("a").terminated);
  Run("b", 11);
  EXPECT_EQ(guests_.Signal("b", SIGKILL), 11);
  EXPECT_TRUE(guests_.all().at("b").terminated);
  guests_.HandleExit(10, SIGTERM, now_);
  EXPECT_EQ(guests_.Signal("a", SIGKILL), 0) << "that process may be anybody's by now";
}

TEST_F(GuestsTest, ForgetsWhatEndedAfterAMinuteAndNeverWhatRuns) {
  Run("a", 10);
  Run("b", 11);
  guests_.HandleExit(10, 0, now_);
  EXPECT_EQ(guests_.running(), 1U);
  now_ += Guests::kRemembered - 1ns;
  EXPECT_TRUE(guests_.Admit("c", now_).ok());
  EXPECT_THAT(guests_.all(), UnorderedElementsAre(Key("a"), Key("b")));
  now_ += 1ns;
  EXPECT_TRUE(guests_.Admit("c", now_).ok());
  EXPECT_THAT(guests_.all(), UnorderedElementsAre(Key("b")));
}

TEST_F(GuestsTest, IsBoundedAndAProcessThatEndedMayStillStartAgain) {
  const int most = static_cast<int>(Guests::kMost);
  for (int i = 0; i < most; ++i) Run(absl::StrCat("p", i), 100 + i);
  EXPECT_EQ(guests_.running(), Guests::kMost);
  EXPECT_TRUE(absl::IsResourceExhausted(guests_.Admit("one more", now_)));
  guests_.HandleExit(100, 0, now_);
  EXPECT_TRUE(guests_.Admit("p0", now_).ok());
  // It is remembered, and its place with it.
  EXPECT_TRUE(absl::IsResourceExhausted(guests_.Admit("one more", now_)));
  EXPECT_TRUE(guests_.Admit("one more", now_ + Guests::kRemembered).ok());
}

}  // namespace
}  // namespace radix::fulcrum
