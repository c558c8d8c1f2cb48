#include "services/flock/flock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/random.h"

namespace radix::flock {
namespace {

Config ConfigOf(std::uint32_t slot) {
  CharterFields fields;
  fields.bloc = "test";
  fields.ranges = {"10.0.0.0-10.0.0.7"};
  fields.port = 7117;
  fields.key_file = "none";
  Config config;
  config.charter = *Charter::Create(fields);
  config.slot = slot;
  config.boot = slot + 100;
  config.identity_seed = Key{static_cast<std::uint8_t>(slot), 1};
  config.secondary_keys = {Key{1}};
  config.entropy = Key{static_cast<std::uint8_t>(slot), 2};
  return config;
}

std::string ErrorOf(Config config) {
  return std::string(Flock::Create(std::move(config), Instant(1h)).status().message());
}

TEST(FlockTest, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(ErrorOf(ConfigOf(1)), "");
  EXPECT_EQ(ErrorOf(ConfigOf(8)).substr(0, 5), "slot:");
  Config config = ConfigOf(1);
  config.boot = 0;
  EXPECT_EQ(ErrorOf(config).substr(0, 5), "boot:");
  config = ConfigOf(1);
  config.secondary_keys.clear();
  EXPECT_EQ(ErrorOf(config).substr(0, 15), "secondary_keys:");
  config = ConfigOf(1);
  config.introduction.resize(kIntroductionSizeMax + 1);
  EXPECT_EQ(ErrorOf(config).substr(0, 13), "introduction:");
  config = ConfigOf(1);
  config.charter.quorum = config.charter.at_most / 2;
  EXPECT_EQ(ErrorOf(config).substr(0, 15), "charter.quorum:");
}

TEST(FlockTest, WrongDatagramsOfAnyLengthAreAnsweredByNothingAndChangeNothing) {
  Flock ann = *Flock::Create(ConfigOf(1), Instant(1h));
  Flock bob = *Flock::Create(ConfigOf(2), Instant(1h));
  const Endpoint from_ann{*IpAddress::Parse("10.0.0.1"), 7117};
  // Some true datagrams of Ann's to other slots, to be altered.
  std::vector<std::vector<std::uint8_t>> samples;
  for (Instant now(1h); now < Instant(1h) + 2s; now += 10ms) {
    ann.HandleTimeout(now);
    while (const auto transmit = ann.PollTransmit()) {
      samples.emplace_back(transmit->bytes.begin(), transmit->bytes.end());
    }
  }
  ASSERT_FALSE(samples.empty());
  while (bob.PollTransmit()) {
  }
  Random random(5);
  const std::uint64_t view = bob.view_hash();
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint8_t> bytes = samples[random.Below(samples.size())];
    bytes.resize(random.Below(1300));
    for (std::uint64_t flips = 1 + random.Below(4); flips > 0 && !bytes.empty(); --flips) {
      bytes[random.Below(bytes.size())] ^= static_cast<std::uint8_t>(1 + random.Below(255));
    }
    bob.HandleDatagram(from_ann, bytes, Instant(1h));
    ASSERT_FALSE(bob.PollTransmit().has_value());
    ASSERT_FALSE(bob.PollEvent().has_value());
  }
  EXPECT_EQ(bob.view_hash(), view);
  EXPECT_EQ(bob.live_count(), 1U);
  EXPECT_EQ(bob.counters().received, 20000U);
  EXPECT_EQ(bob.counters().accepted, 0U);
}

// Carries what any of `flocks` sends to the others, all at `now`, until nothing is left; returns
// how long each datagram was.
std::vector<std::size_t> Carry(std::vector<Flock*> flocks, Instant now) {
  std::vector<std::size_t> sizes;
  for (bool any = true; any;) {
    any = false;
    for (Flock* const from : flocks) {
      while (const auto transmit = from->PollTransmit()) {
        for (Flock* const to : flocks) {
          if (to->self().slot != transmit->slot) continue;
          const std::vector<std::uint8_t> bytes(transmit->bytes.begin(), transmit->bytes.end());
          sizes.push_back(bytes.size());
          const auto last = std::to_string(from->self().slot);
          to->HandleDatagram({*IpAddress::Parse("10.0.0." + last), 7117}, bytes, now);
          any = true;
        }
      }
    }
  }
  return sizes;
}

TEST(FlockTest, WhoseWelcomeListsAllIsToldWhatItLacksAndAskedNothing) {
  const Instant boot(1h);
  Flock ann = *Flock::Create(ConfigOf(2), boot);
  Flock bob = *Flock::Create(ConfigOf(3), boot);
  Flock cid = *Flock::Create(ConfigOf(4), boot);
  const Instant now = boot + 1ms;  // by when they may answer at the door
  // Each says HELLO to the slot before its own: a short one, and a RETRY, one with its token, and a
  // WELCOME. That lists all: nothing else is to be said.
  cid.HandleTimeout(now);
  EXPECT_THAT(Carry({&bob, &cid}, now), testing::ElementsAre(76, 76, 129, 243));
  EXPECT_EQ(bob.live_count(), 2U);
  EXPECT_EQ(cid.view_hash(), bob.view_hash());
  bob.HandleTimeout(now);
  std::vector<std::size_t> sizes = Carry({&ann, &bob, &cid}, now);
  sizes.resize(5);  // the last with a ping; then a HELLO, for their ring, which is the greater
  EXPECT_THAT(sizes, testing::ElementsAre(76, 76, 129, 243, 105));
  EXPECT_EQ(ann.live_count(), 3U);
  EXPECT_EQ(ann.view_hash(), bob.view_hash());
}

using Bytes = std::vector<std::uint8_t>;

// What `from` sends to the slot `to`; the rest is lost.
std::vector<Bytes> SentTo(Flock& from, std::uint32_t to) {
  std::vector<Bytes> sent;
  while (const auto transmit = from.PollTransmit()) {
    if (transmit->slot == to) sent.emplace_back(transmit->bytes.begin(), transmit->bytes.end());
  }
  return sent;
}

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

TEST_F(DoorTest, WhoTookAnotherRingAtOnceIsStillHeardByWhomItLetIn) {
  // Ann asks Bob, who then takes Cid's: she is told of that under the one that she has.
  const Bytes hello = HelloWithToken();
  const auto welcome = Deliver(ann_, hello, bob_);
  ASSERT_EQ(welcome.size(), 1U);
  EXPECT_TRUE(Deliver(bob_, welcome[0], ann_).empty());
  const std::uint32_t before = bob_.transient_key_id();
  for (std::uint32_t slot = 4; bob_.transient_key_id() == before && slot < 8; ++slot) {
    Config config = ConfigOf(slot);
    config.remembered = {2};
    Flock cid = *Flock::Create(config, boot_);
    config = ConfigOf(1);
    config.remembered = {slot};
    Flock eve = *Flock::Create(config, boot_);
    eve.HandleTimeout(now_);
    Carry({&cid, &eve}, now_);  // so that he shares his, too
    cid.HandleTimeout(now_);
    Carry({&ann_, &bob_, &cid}, now_);
  }
  ASSERT_NE(bob_.transient_key_id(), before);
  EXPECT_EQ(ann_.transient_key_id(), bob_.transient_key_id());
}

// How late each stall that `flock` tells of was, in milliseconds.
std::vector<std::uint64_t> StallsOf(Flock& flock) {
  std::vector<std::uint64_t> stalls;
  while (const auto event = flock.PollEvent()) {
    if (event->kind == EventKind::kStalled) stalls.push_back(event->value);
  }
  return stalls;
}

TEST(FlockTest, ANodeThatStoodStillSaysForHowLong) {
  Flock flock = *Flock::Create(ConfigOf(1), Instant(1h));
  Instant now(1h);
  for (; now < Instant(1h) + 60s; now = std::max(now + 1us, flock.NextTimeout())) {
    flock.HandleTimeout(now);
  }
  EXPECT_THAT(StallsOf(flock), testing::IsEmpty());
  now = flock.NextTimeout() + 4500ms;
  // What came meanwhile is taken in first.
  flock.HandleDatagram({*IpAddress::Parse("10.0.0.2"), 7117}, std::vector<std::uint8_t>(40), now);
  flock.HandleTimeout(now);
  EXPECT_THAT(StallsOf(flock), testing::ElementsAre(4500));
  flock.HandleTimeout(flock.NextTimeout() + 999ms);
  EXPECT_THAT(StallsOf(flock), testing::IsEmpty());
}

// Three flocks of which the last may fall silent, and the first be late.
class LateFlockTest : public testing::Test {
 protected:
  // Lets `duration` pass; the first is told of time only every `step`. Returns how often it accused
  // somebody because its probes had no answer.
  int Run(Duration duration, Duration step) {
    int accusations = 0;
    for (const Instant end = now_ + duration; now_ < end; now_ += 10ms) {
      for (std::size_t i = 0; i < flocks_.size() - (silent_ ? 1 : 0); ++i) {
        if (i > 0 || now_ - ticked_at_ >= step) flocks_[i].HandleTimeout(now_);
      }
      if (now_ - ticked_at_ >= step) ticked_at_ = now_;
      for (std::size_t i = 0; i < flocks_.size(); ++i) Carry(i);
      while (const auto event = flocks_[0].PollEvent()) {
        accusations +=
            event->kind == EventKind::kSuspected && event->evidence == Evidence::kProbesUnanswered;
      }
    }
    return accusations;
  }

  bool silent_ = false;

 private:
  void Carry(std::size_t from) {
    while (const auto transmit = flocks_[from].PollTransmit()) {
      const std::size_t to = transmit->slot - 1;
      if (to >= flocks_.size() || (silent_ && std::max(from, to) == flocks_.size() - 1)) continue;
      const Endpoint sender{ConfigOf(1).charter.ranges.At(static_cast<std::uint32_t>(from) + 1),
                            7117};
      const std::vector<std::uint8_t> bytes(transmit->bytes.begin(), transmit->bytes.end());
      flocks_[to].HandleDatagram(sender, bytes, now_);
    }
  }

  static Flock Make(std::uint32_t slot) { return *Flock::Create(ConfigOf(slot), Instant(1h)); }

  std::vector<Flock> flocks_ = [] {
    std::vector<Flock> flocks;
    for (std::uint32_t slot = 1; slot <= 3; ++slot) flocks.push_back(Make(slot));
    return flocks;
  }();
  Instant now_{1h};
  Instant ticked_at_{1h};
};

TEST_F(LateFlockTest, ANodeThatRunsLateAccusesNobodyUntilItIsInTimeAgain) {
  EXPECT_EQ(Run(5s, 10ms), 0);
  silent_ = true;
  EXPECT_EQ(Run(10s, 400ms), 0);
  EXPECT_GT(Run(4s, 10ms), 0);
}

TEST(FlockTest, ANodeAloneInABlocOfOneLeadsItself) {
  Config config = ConfigOf(1);
  CharterFields fields;
  fields.bloc = "test";
  fields.ranges = {"10.0.0.1"};
  fields.port = 7117;
  fields.key_file = "none";
  config.charter = *Charter::Create(fields);
  config.slot = 0;
  Flock flock = *Flock::Create(std::move(config), Instant(1h));
  Instant now(1h);
  while (now < Instant(1h) + 5s && !flock.own_leadership(now)) {
    now = std::max(now + 1us, flock.NextTimeout());
    flock.HandleTimeout(now);
  }
  ASSERT_TRUE(flock.own_leadership(now).has_value());
  EXPECT_LE(now - Instant(1h), Duration(3200ms));
}

}  // namespace
}  // namespace radix::flock
