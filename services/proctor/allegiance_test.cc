#include "services/proctor/allegiance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace radix::proctor {
namespace {

using testing::HasSubstr;

const Instant kNow = Instant(1h);
const IpAddress kAnn = *IpAddress::Parse("127.0.0.1");
const IpAddress kBob = *IpAddress::Parse("127.0.0.2");

registry::Instance ProctorOf(const std::string& node, const IpAddress& ip) {
  return {{"radix", "proctor1", "proctor1_0", node, ip.ToString() + ":7"}};
}

class AllegianceTest : public testing::Test {
 protected:
  void Grant(const IpAddress& leader, std::uint64_t epoch, Duration remaining) {
    registry::Group group{.epoch = epoch, .leader = leader};
    group.grant = registry::Grant{epoch, leader, remaining};
    allegiance_.HandleGroup(group, kNow);
  }
  void Proctors(std::vector<registry::Instance> instances, bool snapshot = true) {
    allegiance_.HandleProctors({.snapshot = snapshot, .changes = std::move(instances)});
  }
  // "netID/epoch", or empty.
  std::string Followed(Instant now = kNow) {
    const auto followed = allegiance_.FollowedAt(now);
    return followed ? followed->net_id + "/" + std::to_string(followed->epoch) : "";
  }
  std::string Refusal() { return std::string(allegiance_.AskedAt(kNow).status().message()); }

  Allegiance allegiance_;
};

TEST_F(AllegianceTest, FollowsTheLeaderOfItsOwnGrantUntilThatEnds) {
  Proctors({ProctorOf("n1", kAnn), ProctorOf("n2", kBob)});
  EXPECT_EQ(Followed(), "");
  Grant(kBob, 7, 2s);
  EXPECT_EQ(Followed(), "127.0.0.2:7/7");
  EXPECT_EQ(Followed(kNow + 2s - 1ns), "127.0.0.2:7/7");
  EXPECT_EQ(Followed(kNow + 2s), "");
  Grant(kAnn, 8, 2s);
  EXPECT_EQ(Followed(), "127.0.0.1:7/8");
}

TEST_F(AllegianceTest, ASealedLeaderToWhomItGrantedNothingIsAskedAndNotFollowed) {
  Proctors({ProctorOf("n1", kAnn)});
  allegiance_.HandleGroup({.epoch = 7, .leader = kAnn}, kNow);
  EXPECT_EQ(Followed(), "");
  EXPECT_EQ(*allegiance_.AskedAt(kNow), "127.0.0.1:7");
}

TEST_F(AllegianceTest, OnlyAProctorThatServesIsOne) {
  Grant(kAnn, 7, 2s);
  registry::Instance steward = ProctorOf("n1", kAnn);
  steward.api = "steward1";
  registry::Instance elsewhere = ProctorOf("n1", kAnn);
  elsewhere.horde = "default";
  Proctors({steward, elsewhere});
  EXPECT_EQ(Followed(), "");
  Proctors({ProctorOf("n1", kAnn)}, /*snapshot=*/false);
  EXPECT_EQ(Followed(), "127.0.0.1:7/7");
  registry::Instance draining = ProctorOf("n1", kAnn);
  draining.status = registry::Status::kDraining;
  Proctors({draining}, /*snapshot=*/false);
  EXPECT_EQ(Followed(), "");
  Proctors({ProctorOf("n1", kAnn)}, /*snapshot=*/false);
  Proctors({});
  EXPECT_EQ(Followed(), "");
}

// The steward of a leader that was revoked takes it off the list before its proctor has said so to
// all.
TEST_F(AllegianceTest, WhomItFollowsMayBeOffTheListAsLongAsTheGrantRuns) {
  Proctors({ProctorOf("n2", kBob)});
  Grant(kBob, 7, 2s);
  const auto with = *allegiance_.FollowedAt(kNow);
  EXPECT_TRUE(allegiance_.MayStay(with, kNow));
  Proctors({});
  EXPECT_EQ(Followed(), "") << "nobody begins to follow it";
  EXPECT_TRUE(allegiance_.MayStay(with, kNow + 2s - 1ns));
  EXPECT_FALSE(allegiance_.MayStay(with, kNow + 2s));
  registry::Instance other = ProctorOf("n2", kBob);
  other.net_id = kBob.ToString() + ":8";
  Proctors({other});
  EXPECT_FALSE(allegiance_.MayStay(with, kNow)) << "it was started again";
  registry::Instance draining = ProctorOf("n2", kBob);
  draining.status = registry::Status::kDraining;
  Proctors({draining});
  EXPECT_FALSE(allegiance_.MayStay(with, kNow));
  Proctors({});
  Grant(kBob, 8, 2s);
  EXPECT_FALSE(allegiance_.MayStay(with, kNow));
  Grant(kAnn, 7, 2s);
  EXPECT_FALSE(allegiance_.MayStay(with, kNow));
}

TEST_F(AllegianceTest, SaysWhyNobodyCanBeAsked) {
  EXPECT_THAT(Refusal(), HasSubstr("flock of this node is not heard"));
  allegiance_.HandleGroup({.quorum = 2, .members = {{.address = kAnn, .alive = true}}}, kNow);
  EXPECT_THAT(Refusal(), HasSubstr("knows, are 1, and 2 make a quorum"));
  allegiance_.HandleGroup({.epoch = 7, .leader = kBob}, kNow);
  EXPECT_THAT(Refusal(), HasSubstr("127.0.0.2 leads, and its proctor is not known"));
}

}  // namespace
}  // namespace radix::proctor
