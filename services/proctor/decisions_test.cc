#include "services/proctor/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/proctor/acceptor.h"

namespace radix::proctor {
namespace {

using Answer = Acceptor::Answer;
using Phase = Decisions::Phase;

constexpr Instant kStart = Instant() + 1h;

Decisions NewLeader(std::int64_t epoch, std::size_t quorum = 2) {
  return Decisions({.epoch = epoch, .own_slot = "a", .quorum = quorum});
}

std::vector<Decisions::Write> Drain(Decisions& leader) {
  std::vector<Decisions::Write> writes;
  while (std::optional<Decisions::Write> write = leader.PollWrite()) writes.push_back(*write);
  return writes;
}

void Ack(Decisions& leader, const std::string& slot, const Document& document) {
  leader.HandleAck(slot, document.epoch, document.revision, document.checksum, kStart);
}

// A leader of `epoch` that learnt an empty group from slots a and b of three.
Decisions LeadingAnEmptyGroup(std::int64_t epoch) {
  Decisions leader = NewLeader(epoch);
  leader.HandleReport("a", {}, kStart);
  leader.HandleReport("b", {}, kStart);
  for (const char* slot : {"a", "b"}) {
    for (const Decisions::Write& write : Drain(leader)) {
      EXPECT_EQ(write.slot, slot);
      Ack(leader, slot, write.document);
    }
  }
  EXPECT_EQ(leader.phase(), Phase::kLeading);
  return leader;
}

TEST(Decisions, KnowNothingUntilAQuorumReported) {
  Decisions leader = NewLeader(7);
  EXPECT_EQ(leader.phase(), Phase::kLearning);
  leader.HandleReport("a", {}, kStart);
  leader.HandleReport("a", {}, kStart);
  EXPECT_EQ(leader.phase(), Phase::kLearning);
  EXPECT_EQ(leader.Propose("x", kStart).status().code(), absl::StatusCode::kFailedPrecondition);
  leader.HandleReport("b", {}, kStart);
  EXPECT_EQ(leader.phase(), Phase::kWriting);
  EXPECT_EQ(leader.Propose("x", kStart).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Decisions, ANodeThatLeftBeforeTheQuorumWasFullDoesNotCount) {
  Decisions leader = NewLeader(7);
  leader.HandleReport("b", {}, kStart);
  leader.HandleDisconnect("b");
  leader.HandleReport("a", {}, kStart);
  EXPECT_EQ(leader.phase(), Phase::kLearning);
}

TEST(Decisions, ANewLeaderWritesTheLatestReportAgainUnderItsOwnEpoch) {
  Decisions leader = NewLeader(9);
  leader.HandleReport("a", {Document::Make(3, 8, "old")}, kStart);
  leader.HandleReport("b", {Document::Make(5, 6, "latest")}, kStart);
  std::vector<Decisions::Write> first = Drain(leader);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].slot, "a") << "the own slot comes first";
  EXPECT_TRUE(first[0].rewritten);
  EXPECT_EQ(first[0].document, Document::Make(9, 6, "latest"));
  Ack(leader, "a", first[0].document);
  EXPECT_EQ(leader.phase(), Phase::kWriting);
  std::vector<Decisions::Write> second = Drain(leader);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].slot, "b");
  Ack(leader, "b", second[0].document);
  EXPECT_EQ(leader.phase(), Phase::kLeading);
  EXPECT_EQ(leader.decided().body, "latest");
}

TEST(Decisions, AProposalIsDecidedByAQuorumOfExactlyThatDocument) {
  Decisions leader = LeadingAnEmptyGroup(4);
  EXPECT_EQ(leader.Propose("x", kStart).value(), 1);
  EXPECT_TRUE(leader.in_flight());
  EXPECT_EQ(leader.Propose("y", kStart).status().code(), absl::StatusCode::kUnavailable);
  const Document x = Document::Make(4, 1, "x");
  Ack(leader, "a", x);
  leader.HandleAck("b", 3, 1, x.checksum, kStart);
  leader.HandleAck("b", 4, 0, x.checksum, kStart);
  leader.HandleAck("b", 4, 1, Sha256("other"), kStart);
  leader.HandleAck("stranger", 4, 1, x.checksum, kStart);
  EXPECT_TRUE(leader.in_flight());
  Ack(leader, "b", x);
  EXPECT_FALSE(leader.in_flight());
  EXPECT_EQ(leader.decided(), x);
  EXPECT_EQ(leader.Propose("y", kStart).value(), 2);
}

TEST(Decisions, ALateNodeIsBroughtUpToDate) {
  Decisions leader = LeadingAnEmptyGroup(4);
  EXPECT_TRUE(leader.Propose("x", kStart).ok());
  Drain(leader);
  Ack(leader, "a", Document::Make(4, 1, "x"));
  Drain(leader);
  leader.HandleReport("c", {Document::Make(2, 9, "minority")}, kStart);
  std::vector<Decisions::Write> writes = Drain(leader);
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(writes[0].slot, "c");
  EXPECT_EQ(writes[0].document, Document::Make(4, 1, "x"));
}

TEST(Decisions, AWriteWithoutAnAnswerIsRepeated) {
  Decisions leader = LeadingAnEmptyGroup(4);
  EXPECT_TRUE(leader.Propose("x", kStart).ok());
  EXPECT_EQ(Drain(leader).size(), 1U);
  leader.HandleTimeout(kStart + 1s);
  EXPECT_EQ(Drain(leader).size(), 0U);
  ASSERT_TRUE(leader.NextTimeout().has_value());
  leader.HandleTimeout(*leader.NextTimeout());
  EXPECT_EQ(Drain(leader).size(), 1U);
}

TEST(Decisions, AHigherPromiseEndsTheEpoch) {
  Decisions leader = LeadingAnEmptyGroup(4);
  leader.HandleRefusal("b", 4);
  EXPECT_EQ(leader.phase(), Phase::kLeading);
  leader.HandleRefusal("b", 5);
  EXPECT_EQ(leader.phase(), Phase::kSuperseded);
  EXPECT_FALSE(leader.Propose("x", kStart).ok());
}

TEST(Decisions, ABodyHasALimit) {
  Decisions leader({.epoch = 1, .own_slot = "a", .quorum = 1, .body_max = 3});
  leader.HandleReport("a", {}, kStart);
  Ack(leader, "a", Document::Make(1, 0, ""));
  EXPECT_EQ(leader.Propose("long", kStart).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(leader.Propose("fit", kStart).ok());
}

TEST(Decisions, ASlotThatLostWhatItHadDoesNotCountUntilItHasTheDocument) {
  Decisions leader = NewLeader(7, 3);
  leader.HandleReport("a", {Document::Make(3, 8, "old")}, kStart);
  leader.HandleReport("b", {{}, /*losses=*/1}, kStart);
  leader.HandleReport("c", {Document::Make(3, 8, "old")}, kStart);
  EXPECT_EQ(leader.phase(), Phase::kLearning) << "three reported, of whom one remembers nothing";
  EXPECT_EQ(leader.report_count(), 2U);
  EXPECT_EQ(leader.lost_count(), 1U);
  leader.HandleReport("d", {Document::Make(4, 9, "decided by b, d and others")}, kStart);
  ASSERT_EQ(leader.phase(), Phase::kWriting);
  Ack(leader, "a", Drain(leader).at(0).document);
  const std::vector<Decisions::Write> writes = Drain(leader);
  ASSERT_EQ(writes.size(), 3U) << "whoever lost it gets it too";
  Ack(leader, "b", writes[0].document);
  Ack(leader, "c", writes[0].document);
  EXPECT_EQ(leader.phase(), Phase::kLeading) << "from then on it counts";
  EXPECT_EQ(leader.lost_count(), 0U);
  EXPECT_EQ(leader.decided().body, "decided by b, d and others");
}

TEST(Decisions, ALeaderThatLostItsOwnDocumentUsesNoRevisionAgain) {
  for (const int losses : {1, 2, 3}) {
    Decisions leader = NewLeader(7);
    leader.HandleReport("a", {{}, losses}, kStart);
    leader.HandleReport("b", {Document::Make(7, 4, "x")}, kStart);
    EXPECT_EQ(leader.phase(), Phase::kLearning) << "the own slot is no part of the quorum";
    leader.HandleReport("c", {Document::Make(7, 4, "x")}, kStart);
    const Document written = Drain(leader).at(0).document;
    EXPECT_EQ(written.body, "x");
    // Unseen by b and c there may be one revision above theirs and, after an earlier loss, one that
    // lies an earlier gap higher: 4 + 1 with the first loss, 4 + 1 + 2 with the second.
    const std::int64_t unseen = (std::int64_t{1} << losses) - 1;
    EXPECT_GT(written.revision, 4 + unseen) << losses;
  }
}

TEST(Acceptor, PromisesOnDiskAndTakesNothingBelow) {
  Acceptor acceptor({});
  const Acceptor::Step promise = acceptor.Prepare(5);
  EXPECT_EQ(promise.answer, Answer::kPromised);
  ASSERT_TRUE(promise.persist.has_value());
  EXPECT_EQ(acceptor.promised(), 0) << "a promise counts when it is durable";
  acceptor.Commit(*promise.persist);
  EXPECT_EQ(acceptor.Prepare(4).answer, Answer::kStale);
  EXPECT_EQ(acceptor.Prepare(5).answer, Answer::kPromised);
  EXPECT_FALSE(acceptor.Prepare(5).persist.has_value());
  EXPECT_EQ(acceptor.Write(Document::Make(4, 9, "x")).answer, Answer::kStale);
}

TEST(Acceptor, TakesOnlyWhatIsLaterAndIntact) {
  Acceptor acceptor({.promised = 5, .document = Document::Make(5, 3, "x")});
  EXPECT_EQ(acceptor.Write(Document::Make(5, 2, "w")).answer, Answer::kStale);
  EXPECT_EQ(acceptor.Write(Document::Make(5, 3, "x")).answer, Answer::kAccepted);
  EXPECT_FALSE(acceptor.Write(Document::Make(5, 3, "x")).persist.has_value());
  EXPECT_EQ(acceptor.Write(Document::Make(5, 3, "y")).answer, Answer::kCorrupt);
  Document torn = Document::Make(5, 4, "y");
  torn.body = "z";
  EXPECT_EQ(acceptor.Write(torn).answer, Answer::kCorrupt);
  const Acceptor::Step step = acceptor.Write(Document::Make(8, 1, "y"));
  EXPECT_EQ(step.answer, Answer::kAccepted);
  EXPECT_EQ(step.persist->promised, 8);
}

TEST(Acceptor, WhoLostWhatItHadTakesOnlyWhatItPromisedSince) {
  Acceptor acceptor({0, {}, /*losses=*/2});
  const Document document = Document::Make(5, 9, "x");
  EXPECT_EQ(acceptor.Write(document).answer, Answer::kStale);
  const Acceptor::Step promise = acceptor.Prepare(5);
  ASSERT_TRUE(promise.persist);
  EXPECT_EQ(*promise.persist, (AcceptorState{5, {}, 2})) << "the promise alone restores nothing";
  acceptor.Commit(*promise.persist);
  EXPECT_EQ(acceptor.Write(Document::Make(6, 9, "x")).answer, Answer::kStale);
  const Acceptor::Step write = acceptor.Write(document);
  ASSERT_TRUE(write.persist);
  EXPECT_EQ(*write.persist, (AcceptorState{5, document, 0}));
}

}  // namespace
}  // namespace radix::proctor
