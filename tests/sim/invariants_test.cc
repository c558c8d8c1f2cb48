#include "tests/sim/invariants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "services/flock/packet_codec.h"

namespace radix::sim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Instant kNow{Duration(1h)};
constexpr flock::MemberId kAnn{3, 33};
constexpr flock::MemberId kBob{4, 44};

class InvariantsTest : public testing::Test {
 protected:
  InvariantsTest() {
    invariants_.Booted(0, kAnn);
    invariants_.Booted(1, kBob);
    invariants_.set_disks_intact(true);
  }
  void Lead(std::size_t node, const flock::MemberId& id, std::uint64_t epoch, Duration after) {
    invariants_.CheckLeadership(node, kNow + after, {id, epoch, {}}, kNow + after + 3s);
  }
  void Hear(flock::EventKind kind, const flock::MemberId& subject, std::uint64_t epoch) {
    flock::Event event;
    event.kind = kind;
    event.subject = subject;
    event.epoch = epoch;
    invariants_.CheckEvent(0, kNow, event);
  }
  void Send(std::uint64_t counter) {
    std::array<std::uint8_t, flock::kHeaderSize + flock::kTagSize> datagram{};
    flock::Writer out(datagram);
    flock::Encode({flock::PacketType::kGroup, 7, kAnn, counter}, out);
    invariants_.CheckSent(0, kNow, kBob.slot, datagram);
  }
  const std::vector<std::string>& violations() { return invariants_.violations(); }

  Invariants invariants_{2, 8};
};

TEST_F(InvariantsTest, SeesTwoSealedLeadersAtOneTimeButNotOneAfterTheOther) {
  Lead(0, kAnn, 1, 0s);
  Lead(1, kBob, 2, 3s);
  EXPECT_THAT(violations(), IsEmpty());
  Lead(0, kAnn, 3, 5s);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("two sealed leaders: node 0 under epoch 3")));
}

TEST_F(InvariantsTest, SeesANodeThatSaysItStoodStillAndDidNot) {
  invariants_.Resumed(0);
  Hear(flock::EventKind::kStalled, kAnn, 0);
  EXPECT_THAT(violations(), IsEmpty());
  Hear(flock::EventKind::kStalled, kAnn, 0);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("says that it stood still")));
}

TEST_F(InvariantsTest, SeesALeadershipThatOutlivesItsNode) {
  Lead(0, kAnn, 1, 0s);
  invariants_.Orphan(0);
  Lead(1, kBob, 2, 1s);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("two sealed leaders")));
}

// Who acts under a leadership was told until when, and hears of its early end later or never.
TEST_F(InvariantsTest, SeesALeaderThatIsFollowedBeforeTheEndThatItHadSaid) {
  Lead(0, kAnn, 1, 0s);
  invariants_.CheckNoLeadership(0, kNow + 1s);
  Lead(0, kAnn, 2, 1s);
  EXPECT_THAT(violations(), IsEmpty()) << "itself";
  invariants_.CheckNoLeadership(0, kNow + 2s);
  Lead(1, kBob, 3, 3900ms);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("two sealed leaders")));
  Lead(1, kBob, 3, 4s);
  EXPECT_EQ(violations().size(), 1U);
}

TEST_F(InvariantsTest, SeesAnEpochThatDoesNotRise) {
  Lead(0, kAnn, 2, 0s);
  Lead(1, kBob, 2, 4s);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("not above 2")));
}

TEST_F(InvariantsTest, KnowsThatAnotherBootOfTheLeaderWasSealedAnew) {
  invariants_.set_disks_intact(false);
  Lead(0, kAnn, 2, 0s);
  invariants_.Booted(0, {3, 34});
  Lead(0, {3, 34}, 2, 4s);
  Hear(flock::EventKind::kSealedLeader, {3, 34}, 2);
  EXPECT_THAT(violations(), IsEmpty());
}

TEST_F(InvariantsTest, SeesAPromiseThatIsBroken) {
  invariants_.CheckPromise(0, kNow, {5, kAnn});
  invariants_.CheckPromise(0, kNow, {6, kBob});
  EXPECT_THAT(violations(), IsEmpty());
  invariants_.CheckPromise(0, kNow, {6, kAnn});
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("granted epoch 6 after epoch 6")));
}

TEST_F(InvariantsTest, SeesAMemberThatNeverWas) {
  Hear(flock::EventKind::kJoined, kBob, 0);
  EXPECT_THAT(violations(), IsEmpty());
  Hear(flock::EventKind::kJoined, {4, 45}, 0);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("never was: slot 4")));
}

TEST_F(InvariantsTest, SeesALeaderThatIsOnlySaidToBeSealed) {
  Lead(1, kBob, 7, 0s);
  Hear(flock::EventKind::kSealedLeader, kBob, 7);
  EXPECT_THAT(violations(), IsEmpty());
  Hear(flock::EventKind::kSealedLeader, kBob, 8);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("under epoch 8, which it never was")));
}

TEST_F(InvariantsTest, SeesACounterUsedTwiceButNotByTwoBoots) {
  Send(1);
  Send(2);
  invariants_.Booted(0, {3, 34});
  Send(1);
  EXPECT_THAT(violations(), IsEmpty());
  Send(1);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("uses counter 1 again towards slot 4")));
}

TEST_F(InvariantsTest, SeesADatagramThatIsAcceptedTwice) {
  invariants_.CheckAccepted(9, 33, kNow);
  invariants_.CheckAccepted(9, 44, kNow);
  EXPECT_THAT(violations(), IsEmpty());
  invariants_.CheckAccepted(9, 33, kNow);
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("datagram 9 was accepted twice")));
}

TEST_F(InvariantsTest, CountsAllThatItSeesButKeepsTheTextsOfTheFirst) {
  for (int i = 0; i < 100; ++i) invariants_.Report(kNow, "number " + std::to_string(i));
  EXPECT_EQ(invariants_.violation_count(), 100U);
  EXPECT_EQ(violations().size(), 20U);
}

}  // namespace
}  // namespace radix::sim
