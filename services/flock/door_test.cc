// Who gets in, and who does not: HELLO, RETRY and WELCOME between whole cores, carried by hand.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "services/flock/carried_bloc_test.h"
#include "services/flock/flock.h"
#include "services/flock/handshake.h"

namespace radix::flock {
namespace {

// Ann, whom Bob does not know, says HELLO to him.
class DoorTest : public testing::Test {
 protected:
  // What `to` answers.
  std::vector<Bytes> Deliver(Flock& from, const Bytes& bytes, Flock& to) {
    to.HandleDatagram({ConfigOf(1).charter.ranges.At(from.self().slot), 7117}, bytes, now_);
    return SentTo(to, from.self().slot);
  }
  // Ann's HELLO with Bob's token.
  Bytes HelloWithToken() {
    ann_.HandleTimeout(now_);
    const auto hello = SentTo(ann_, 2);
    const auto retry = Deliver(ann_, hello.at(0), bob_);
    return Deliver(bob_, retry.at(0), ann_).at(0);
  }

  // Lets time pass until `from` sends something to the slot `to`; that, or nothing within a second.
  std::vector<Bytes> NextTo(Flock& from, std::uint32_t to) {
    std::vector<Bytes> sent;
    for (const Instant end = now_ + 1s; now_ < end; now_ += 10ms) {
      from.HandleTimeout(now_);
      sent = SentTo(from, to);
      if (!sent.empty()) break;
    }
    return sent;
  }
  // Bob is let in by somebody whose ring is greater than his own, and takes that. What he and
  // `others` say to each other arrives.
  Flock LetBobTakeARing(const std::vector<Flock*>& others) {
    const std::uint32_t before = bob_.transient_key_id();
    for (std::uint32_t slot = 4;; ++slot) {
      Config config = ConfigOf(slot);
      config.remembered = {2};
      Flock cid = *Flock::Create(config, boot_);
      config = ConfigOf(1);
      config.remembered = {slot};
      Flock eve = *Flock::Create(config, boot_);
      eve.HandleTimeout(now_);
      Carry({&cid, &eve}, now_);  // so that he shares his, too
      cid.HandleTimeout(now_);
      std::vector<Flock*> all = others;
      all.insert(all.end(), {&bob_, &cid});
      Carry(all, now_);
      if (bob_.transient_key_id() != before || slot == 7) return cid;
    }
  }

  const Instant boot_{1h};
  Instant now_ = boot_ + 100ms;  // by when he may answer at the door
  Flock bob_ = *Flock::Create(ConfigOf(2), boot_);
  Flock ann_ = *Flock::Create(ConfigOf(3), boot_);
};

TEST_F(DoorTest, WhoAsksForATokenIsNotKnownYetAndGetsNoMoreThanItSent) {
  ann_.HandleTimeout(now_);
  const auto hello = SentTo(ann_, 2).at(0);
  const auto answers = Deliver(ann_, hello, bob_);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_LE(answers[0].size(), hello.size());
  EXPECT_TRUE(Deliver(ann_, hello, bob_).empty()) << "somebody sends it again";
  EXPECT_EQ(bob_.live_count(), 1U);
  EXPECT_EQ(bob_.counters().accepted, 0U);
}

TEST_F(DoorTest, AHelloWithATokenIsAnsweredOnceAndByNobodyElse) {
  const Bytes hello = HelloWithToken();
  Flock cid = *Flock::Create(ConfigOf(4), boot_);
  EXPECT_TRUE(Deliver(ann_, hello, cid).empty());
  EXPECT_EQ(Deliver(ann_, hello, bob_).size(), 1U);
  EXPECT_EQ(bob_.live_count(), 2U);
  for (const Duration later : {0ms, 1ms, 500ms, 1000ms}) {
    now_ += later;
    EXPECT_TRUE(Deliver(ann_, hello, bob_).empty());
  }
  EXPECT_EQ(bob_.counters().dropped_replayed, 4U);
}

TEST_F(DoorTest, ATokenOpensTheDoorForFourSecondsAtMost) {
  const Bytes hello = HelloWithToken();
  now_ += 4s;
  EXPECT_TRUE(Deliver(ann_, hello, bob_).empty());
  EXPECT_EQ(bob_.live_count(), 1U);
  EXPECT_EQ(bob_.counters().dropped_unproven, 1U);
}

TEST_F(DoorTest, ATokenOfAnEarlierBootOpensNothing) {
  const Bytes hello = HelloWithToken();
  Config again = ConfigOf(2);
  again.entropy = Key{2, 3};
  Flock bob = *Flock::Create(again, now_);
  now_ += 1ms;
  EXPECT_TRUE(Deliver(ann_, hello, bob).empty());
  EXPECT_EQ(bob.live_count(), 1U);
}

TEST_F(DoorTest, AnEarlierBootOfTheAskerIsNotLetInAfterALaterOne) {
  const Bytes before = HelloWithToken();
  Config again = ConfigOf(3);
  again.boot += 1;
  again.entropy = Key{3, 3};
  ann_ = *Flock::Create(again, boot_);
  ASSERT_EQ(Deliver(ann_, HelloWithToken(), bob_).size(), 1U);
  const std::uint64_t view = bob_.view_hash();
  Deliver(ann_, before, bob_);
  EXPECT_EQ(bob_.view_hash(), view);
}

TEST_F(DoorTest, WhereBothAskAtOnceOneAnswerLetsBothIn) {
  const Bytes hello = HelloWithToken();
  std::vector<Bytes> crossing;
  for (; crossing.empty() && now_ < boot_ + 1s; now_ += 10ms) {  // tries its neighbours
    bob_.HandleTimeout(now_);
    crossing = SentTo(bob_, 3);
  }
  ASSERT_EQ(crossing.size(), 1U);
  const auto retry = Deliver(bob_, crossing[0], ann_);
  const auto welcome = Deliver(ann_, hello, bob_);
  ASSERT_EQ(welcome.size(), 1U);
  EXPECT_TRUE(Deliver(ann_, retry.at(0), bob_).empty()) << "it is in";
  EXPECT_TRUE(Deliver(bob_, welcome[0], ann_).empty());
  EXPECT_EQ(ann_.view_hash(), bob_.view_hash());
  EXPECT_EQ(ann_.live_count(), 2U);
}

TEST_F(DoorTest, OfTwoWhoAreAloneWhoAsksTakesTheRingWhicheverIsTheGreater) {
  for (const std::uint32_t other : {3U, 4U, 5U, 6U, 7U}) {
    Config config = ConfigOf(other);
    config.remembered = {2};
    Flock asker = *Flock::Create(config, boot_);
    Flock asked = *Flock::Create(ConfigOf(2), boot_);
    asker.HandleTimeout(now_);
    Carry({&asker, &asked}, now_);
    const std::uint32_t ring = Flock::Create(ConfigOf(2), boot_)->transient_key_id();
    EXPECT_EQ(asked.transient_key_id(), ring) << other;
    EXPECT_EQ(asker.transient_key_id(), ring) << other;
  }
}

TEST_F(DoorTest, WhoLetInOneThatTookItsRingComparesItAsAnyOtherFromThenOn) {
  int kept = 0;
  for (const std::uint32_t slot : {4U, 5U, 6U, 7U}) {
    Config config = ConfigOf(2);
    config.remembered = {3, slot};
    bob_ = *Flock::Create(config, boot_);
    const std::uint32_t ring = bob_.transient_key_id();
    ann_ = *Flock::Create(ConfigOf(3), boot_);
    ann_.HandleTimeout(now_);
    Carry({&ann_, &bob_}, now_);
    ASSERT_EQ(ann_.transient_key_id(), ring);
    Flock cid = *Flock::Create(ConfigOf(slot), boot_);
    for (int i = 0; i < 10; ++i) {
      bob_.HandleTimeout(now_);
      Carry({&ann_, &bob_, &cid}, now_);
      now_ += 10ms;
    }
    ASSERT_EQ(bob_.live_count(), 3U);
    if (bob_.transient_key_id() == ring) ++kept;
    EXPECT_EQ(ann_.transient_key_id(), bob_.transient_key_id()) << slot;
    EXPECT_EQ(cid.transient_key_id(), bob_.transient_key_id()) << slot;
  }
  EXPECT_GT(kept, 0);
}

TEST_F(DoorTest, WhoTookAnotherRingAtOnceIsStillHeardByWhomItLetIn) {
  // Ann asks Bob, who then takes Cid's: she is told of that under the one that she has.
  const Bytes hello = HelloWithToken();
  const auto welcome = Deliver(ann_, hello, bob_);
  ASSERT_EQ(welcome.size(), 1U);
  EXPECT_TRUE(Deliver(bob_, welcome[0], ann_).empty());
  const std::uint32_t before = bob_.transient_key_id();
  LetBobTakeARing({&ann_});
  ASSERT_NE(bob_.transient_key_id(), before);
  EXPECT_EQ(ann_.transient_key_id(), bob_.transient_key_id());
}

TEST_F(DoorTest, WhoseWelcomeGotLostIsNotSpokenToUnderTheKeyThatWasInIt) {
  // Bob's WELCOME to Ann is lost, and he takes Cid's ring. Ann takes that, too, from Cid.
  const Bytes hello = HelloWithToken();
  ASSERT_EQ(Deliver(ann_, hello, bob_).size(), 1U);
  const std::uint32_t before = bob_.transient_key_id();
  Flock cid = LetBobTakeARing({});
  ASSERT_NE(bob_.transient_key_id(), before);
  SentTo(bob_, 3);  // is lost, too
  const auto asks = NextTo(ann_, cid.self().slot);
  ASSERT_EQ(asks.size(), 1U);
  const auto retry = Deliver(ann_, asks[0], cid);
  const auto with_token = Deliver(cid, retry.at(0), ann_);
  Deliver(cid, Deliver(ann_, with_token.at(0), cid).at(0), ann_);
  ASSERT_EQ(ann_.transient_key_id(), bob_.transient_key_id());
  const std::uint64_t not_understood = ann_.counters().dropped_unauthenticated;
  const auto said = NextTo(bob_, 3);
  ASSERT_FALSE(said.empty());
  for (const Bytes& bytes : said) Deliver(bob_, bytes, ann_);
  EXPECT_EQ(ann_.counters().dropped_unauthenticated, not_understood);
}

TEST_F(DoorTest, OfWhomAWelcomeListsOneTellsWhomElseItKnowsIfThereIsAny) {
  for (const bool knows_another : {false, true}) {
    bob_ = *Flock::Create(ConfigOf(2), boot_);
    Flock eve = *Flock::Create(ConfigOf(1), boot_);
    bob_.HandleTimeout(now_);
    Carry({&bob_, &eve}, now_);
    ASSERT_EQ(bob_.live_count(), 2U);
    Config config = ConfigOf(3);
    config.remembered = {4};
    ann_ = *Flock::Create(config, boot_);
    Flock dan = *Flock::Create(ConfigOf(4), boot_);
    ann_.HandleTimeout(now_);
    if (knows_another) Carry({&ann_, &dan}, now_);
    const auto hello = NextTo(ann_, 2);
    const auto retry = Deliver(ann_, hello.at(0), bob_);
    const auto with_token = Deliver(bob_, retry.at(0), ann_);
    const auto welcome = Deliver(ann_, with_token.at(0), bob_);
    Deliver(bob_, welcome.at(0), ann_);
    ASSERT_EQ(ann_.live_count(), knows_another ? 4U : 3U);
    if (!knows_another) {
      ann_.HandleTimeout(now_);
      EXPECT_TRUE(SentTo(ann_, 2).empty()) << "Bob said it";
    }
    for (const Instant end = now_ + 200ms; knows_another && now_ < end; now_ += 10ms) {
      ann_.HandleTimeout(now_);  // and has no answer: only news say what nobody asked for
      for (const Bytes& bytes : SentTo(ann_, 4)) Deliver(ann_, bytes, dan);
    }
    const auto known = dan.Members(now_);
    EXPECT_EQ(std::ranges::any_of(known, [](const MemberView& m) { return m.id.slot == 1; }),
              knows_another);
  }
}

// A crowd that boots on all other slots, again and again, and asks with a token each time.
void LetACrowdAsk(Flock& bob, int boots, Instant& now) {
  for (int i = 0; i < boots; ++i) {
    Config config = ConfigOf(4 + static_cast<std::uint32_t>(i) % 4);
    config.boot += static_cast<std::uint64_t>(i) * 100;
    config.entropy = Key{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i / 256), 7};
    config.remembered = {2};
    Flock one = *Flock::Create(config, now);
    one.HandleTimeout(now);
    Carry({&one, &bob}, now);
    now += 1ms;
  }
}

// HELLOs without a token from slot 4 to Bob's, more than are remembered: they can be sent again for
// ever.
std::vector<Bytes> RecordedHellos(Instant now) {
  std::vector<Bytes> recorded;
  for (std::size_t i = 0; i < Handshake::kRecentMax + 44; ++i) {
    Config config = ConfigOf(4);
    config.entropy = Key{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i / 256), 8};
    config.remembered = {2};
    Flock one = *Flock::Create(config, now);
    one.HandleTimeout(now);
    recorded.push_back(SentTo(one, 2).at(0));
  }
  return recorded;
}

TEST_F(DoorTest, ARecordedHelloIsAnsweredNoMoreHoweverOftenAndWheneverItComesAgain) {
  const Bytes hello = HelloWithToken();
  // From elsewhere it is not even looked at; nor does it spoil the true one.
  const auto& ranges = ConfigOf(1).charter.ranges;
  const Endpoint true_source{ranges.At(3), 7117};
  for (const Endpoint& from : {Endpoint{ranges.At(4), 7117}, Endpoint{ranges.At(3), 7118}}) {
    for (int i = 0; i < 1000; ++i) bob_.HandleDatagram(from, hello, now_);
  }
  EXPECT_FALSE(bob_.PollTransmit().has_value());
  ASSERT_EQ(Deliver(ann_, hello, bob_).size(), 1U);
  // More others ask than HELLOs are remembered; the window of who was let in tells.
  LetACrowdAsk(bob_, static_cast<int>(Handshake::kRecentMax) + 10, now_);
  const std::uint64_t view = bob_.view_hash();
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) {
    now_ += 10ms;  // within the life of its token, and after
    bob_.HandleDatagram(true_source, hello, now_);
    answers += SentTo(bob_, 3).size();
  }
  EXPECT_EQ(answers, 0U);
  EXPECT_EQ(bob_.view_hash(), view);
}

TEST_F(DoorTest, OfABootThatIsNotLetInTooOneHelloIsAnsweredOnce) {
  const Bytes before = HelloWithToken();
  Config again = ConfigOf(3);
  again.boot += 1;
  again.entropy = Key{3, 3};
  ann_ = *Flock::Create(again, boot_);
  ASSERT_EQ(Deliver(ann_, HelloWithToken(), bob_).size(), 1U);
  Flock cid = *Flock::Create(ConfigOf(4), boot_);
  std::size_t answered = 0;
  const auto recorded = RecordedHellos(now_);
  for (std::size_t i = 0; i < 1000; ++i) {
    for (std::size_t j = 30 * i; j < 30 * i + 30; ++j) {
      Deliver(cid, recorded[j % recorded.size()], bob_);
    }
    now_ += 2ms;
    for (const Bytes& answer : Deliver(ann_, before, bob_)) answered += answer.size();
  }
  EXPECT_LE(answered, kDatagramSizeMax);
}

TEST_F(DoorTest, WhatIsSentBeforeATokenCameBackIsNoMoreThanWhatCame) {
  // All that a forger of sources can have recorded: HELLOs of any time, and tokens of others.
  const Bytes with_token = HelloWithToken();
  Config config = ConfigOf(2);
  config.entropy = Key{2, 3};
  bob_ = *Flock::Create(config, boot_);  // whose token that is not
  Flock cid = *Flock::Create(ConfigOf(4), boot_);
  const auto recorded = RecordedHellos(now_);
  std::size_t came = 0;
  std::size_t sent = 0;
  for (int i = 0; i < 10000; ++i) {
    now_ += 1ms;
    const Bytes& hello = recorded[static_cast<std::size_t>(i) % recorded.size()];
    came += hello.size();
    for (const Bytes& answer : Deliver(cid, hello, bob_)) sent += answer.size();
    EXPECT_TRUE(Deliver(ann_, with_token, bob_).empty());
  }
  EXPECT_GT(sent, 0U);
  EXPECT_LE(sent, came);
  EXPECT_EQ(bob_.live_count(), 1U);
}

}  // namespace
}  // namespace radix::flock
