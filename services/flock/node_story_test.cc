#include "services/flock/node_story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::flock {
namespace {

using testing::HasSubstr;

constexpr MemberId kSelf{0, 100};
constexpr MemberId kOther{1, 101};

class NodeStoryTest : public testing::Test {
 protected:
  NodeStory Tell(const std::string& node) {
    auto story = TellStory(node, {ranges_, naming_, history_, kSelf, members_, leader_, counters_});
    EXPECT_TRUE(story.ok()) << story.status();
    return *std::move(story);
  }
  void Happen(EventKind kind, const MemberId& subject) {
    history_.Add({kind, Evidence::kContact, Instant(1s), subject}, WallTime());
  }
  // kOther is there, is called n2, and stands like this.
  void BringOther(MemberState state, bool in_contact = false) {
    members_.push_back({.id = kOther, .state = state, .in_contact = in_contact});
    naming_.HandleLive(kOther, Instant(1s));
    naming_.HandleIntroduction(kOther, {"n2", {}});
    Happen(EventKind::kJoined, kOther);
  }

  AddressRanges ranges_ = *AddressRanges::Parse({"10.0.0.1-10.0.0.9"});
  Naming naming_{kSelf, {"n1", {}}};
  EventHistory history_;
  std::vector<MemberView> members_ = {{.id = kSelf, .in_contact = true}};
  std::optional<MemberId> leader_;
  Counters counters_;
};

TEST_F(NodeStoryTest, AMemberIsFoundByNameAndByAddress) {
  BringOther(MemberState::kAlive, true);
  leader_ = kOther;
  for (const std::string node : {"n2", "10.0.0.2"}) {
    const NodeStory story = Tell(node);
    EXPECT_EQ(story.verdict, Verdict::kMember);
    EXPECT_EQ(story.name, "n2");
    EXPECT_EQ(story.address->ToString(), "10.0.0.2");
    EXPECT_EQ(story.member->id, kOther);
    EXPECT_TRUE(story.leads);
    ASSERT_EQ(story.events.size(), 1U);
    EXPECT_EQ(story.events[0].event.kind, EventKind::kJoined);
    EXPECT_TRUE(story.is_complete);
  }
  EXPECT_EQ(Tell("n1").verdict, Verdict::kSelf);
}

TEST_F(NodeStoryTest, SaysHowItStands) {
  BringOther(MemberState::kAlive);
  EXPECT_THAT(Tell("n2").summary, HasSubstr("did not hear from it"));
  members_[1].state = MemberState::kSuspect;
  EXPECT_EQ(Tell("n2").verdict, Verdict::kSuspect);
  members_[1].state = MemberState::kDead;
  EXPECT_EQ(Tell("n2").verdict, Verdict::kDead);
  members_[1].state = MemberState::kLeft;
  EXPECT_EQ(Tell("n2").verdict, Verdict::kLeft);
}

TEST_F(NodeStoryTest, SaysThatItsKeyWasRevoked) {
  BringOther(MemberState::kAlive, true);
  EXPECT_THAT(Tell("n2").summary, testing::Not(HasSubstr("revoked")));
  members_[1].revoked = true;
  EXPECT_EQ(Tell("n2").verdict, Verdict::kMember);
  EXPECT_THAT(Tell("n2").summary, HasSubstr("its key was revoked"));
}

TEST_F(NodeStoryTest, ANodeThatIsForgottenStillHasItsNameAndItsStory) {
  BringOther(MemberState::kDead);
  Happen(EventKind::kDied, kOther);
  members_.pop_back();
  naming_.Reconcile(members_, Instant(2s));
  const NodeStory story = Tell("n2");
  EXPECT_EQ(story.verdict, Verdict::kForgotten);
  EXPECT_EQ(story.address->ToString(), "10.0.0.2");
  EXPECT_EQ(story.events.size(), 2U);
  EXPECT_FALSE(story.member);
}

TEST_F(NodeStoryTest, SaysWhyANodeIsNoMember) {
  counters_.dropped_unauthenticated = 17;
  const NodeStory never = Tell("10.0.0.9");
  EXPECT_EQ(never.verdict, Verdict::kNeverHeard);
  EXPECT_THAT(never.summary, HasSubstr("dropped 17 datagrams"));

  const NodeStory outside = Tell("10.0.1.9");
  EXPECT_EQ(outside.verdict, Verdict::kOutOfRange);
  EXPECT_THAT(outside.summary, HasSubstr("10.0.0.1-10.0.0.9"));

  naming_.HandleLive(kOther, Instant(1s));
  const NodeStory unknown = Tell("n7");
  EXPECT_EQ(unknown.verdict, Verdict::kUnknownName);
  EXPECT_FALSE(unknown.address);
  EXPECT_THAT(unknown.summary, HasSubstr("(1 did not say yet"));
}

TEST_F(NodeStoryTest, RefusesWhatIsNeitherNameNorAddress) {
  const auto story =
      TellStory("No Such!", {ranges_, naming_, history_, kSelf, members_, leader_, counters_});
  EXPECT_THAT(std::string(story.status().message()), HasSubstr("'No Such!'"));
  EXPECT_FALSE(
      TellStory("", {ranges_, naming_, history_, kSelf, members_, leader_, counters_}).ok());
}

TEST_F(NodeStoryTest, SaysWhenOlderEventsMayBeMissing) {
  BringOther(MemberState::kAlive);
  for (std::size_t i = 0; i < 2 * NodeStory::kEventsMax; ++i) {
    Happen(EventKind::kSuspected, kOther);
  }
  const NodeStory story = Tell("n2");
  EXPECT_EQ(story.events.size(), NodeStory::kEventsMax);
  EXPECT_FALSE(story.is_complete);
}

}  // namespace
}  // namespace radix::flock
