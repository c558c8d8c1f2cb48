#include "services/flock/flock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/flock/carried_bloc_test.h"

namespace radix::flock {
namespace {

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

TEST(FlockTest, WhoseWelcomeListsAllIsToldWhatItLacksAndAskedNothing) {
  const Instant boot(1h);
  Flock ann = *Flock::Create(ConfigOf(2), boot);
  Flock bob = *Flock::Create(ConfigOf(3), boot);
  Flock cid = *Flock::Create(ConfigOf(4), boot);
  const Instant now = boot + 1ms;  // by when they may answer at the door
  // Each says HELLO to the slot before its own: a short one, and a RETRY, one with its token, and a
  // WELCOME. That lists all: nothing else is to be said.
  cid.HandleTimeout(now);
  EXPECT_THAT(Carry({&bob, &cid}, now), testing::ElementsAre(44, 44, 97, 179));
  EXPECT_EQ(bob.live_count(), 2U);
  EXPECT_EQ(cid.view_hash(), bob.view_hash());
  bob.HandleTimeout(now);
  std::vector<std::size_t> sizes = Carry({&ann, &bob, &cid}, now);
  sizes.resize(5);  // the last with a ping; then a HELLO, for their ring, which is the greater
  EXPECT_THAT(sizes, testing::ElementsAre(44, 44, 97, 179, 105));
  EXPECT_EQ(ann.live_count(), 3U);
  EXPECT_EQ(ann.view_hash(), bob.view_hash());
}

// Flocks of the slots 2 to `last` that know each other, at `now`.
std::vector<Flock> Acquainted(std::uint32_t last, std::uint8_t seed, Instant boot, Instant now) {
  std::vector<Flock> flocks;
  for (std::uint32_t slot = 2; slot <= last; ++slot) {
    Config config = ConfigOf(slot);
    config.entropy = Key{static_cast<std::uint8_t>(slot), seed};
    config.remembered = {2};
    flocks.push_back(*Flock::Create(config, boot));
    flocks.back().HandleTimeout(now);
    std::vector<Flock*> all;
    for (Flock& flock : flocks) all.push_back(&flock);
    Carry(all, now);
  }
  return flocks;
}

TEST(FlockTest, AntiEntropyAsksNobodyTwiceAtATime) {
  const Instant boot(1h);
  int rounds = 0;
  for (std::uint8_t seed = 1; seed <= 10; ++seed) {
    Instant now = boot + 50ms;
    std::vector<Flock> flocks = Acquainted(4, seed, boot, now);
    // One more that only the first gets to know: for a second the views of the others differ.
    Config config = ConfigOf(1);
    config.remembered = {2};
    Flock more = *Flock::Create(config, boot);
    more.HandleTimeout(now);
    Carry({&more, &flocks[0]}, now);
    ASSERT_EQ(flocks[0].live_count(), 4U);
    // Nothing arrives any more. What falls due at the same nanosecond is of one round.
    while ((now = std::max(now, flocks[0].NextTimeout())) < boot + 1s) {
      flocks[0].HandleTimeout(now);
      std::vector<std::uint32_t> asked;
      while (const auto transmit = flocks[0].PollTransmit()) asked.push_back(transmit->slot);
      std::ranges::sort(asked);
      EXPECT_EQ(std::ranges::adjacent_find(asked), asked.end());
      if (!asked.empty()) ++rounds;
      now += 1ns;
    }
  }
  EXPECT_GT(rounds, 50);
}

TEST(FlockTest, WhoLacksSomethingItselfAsksForItWithWhatItTells) {
  const Instant boot(1h);
  Instant now = boot + 50ms;
  std::vector<Flock> flocks = Acquainted(3, 1, boot, now);
  ASSERT_EQ(flocks[1].live_count(), 2U);
  // Each gets to know somebody of whom the other does not hear.
  std::vector<Flock> more;
  for (std::uint32_t i = 0; i < 2; ++i) {
    Config config = ConfigOf(6 + i);
    config.remembered = {2 + i};
    more.push_back(*Flock::Create(config, boot));
    more[i].HandleTimeout(now);
    Carry({&more[i], &flocks[i]}, now);
    ASSERT_EQ(flocks[i].live_count(), 3U);
  }
  // The first asks until it is heard, when it has no news left to tell.
  std::vector<Bytes> asks;
  for (; now < boot + 990ms; now += 1ms) {
    flocks[0].HandleTimeout(now);
    for (Bytes& bytes : SentTo(flocks[0], 3)) asks.push_back(std::move(bytes));
  }
  ASSERT_FALSE(asks.empty());
  const Endpoint from{ConfigOf(1).charter.ranges.At(2), 7117};
  SentTo(flocks[1], 2);
  flocks[1].HandleDatagram(from, asks.back(), now);
  const auto answers = SentTo(flocks[1], 2);
  EXPECT_EQ(answers.size(), 1U);
  for (const Bytes& bytes : answers) {
    flocks[0].HandleDatagram({ConfigOf(1).charter.ranges.At(3), 7117}, bytes, now);
  }
  EXPECT_EQ(flocks[0].live_count(), 4U);
  for (const Bytes& bytes : SentTo(flocks[0], 3)) flocks[1].HandleDatagram(from, bytes, now);
  EXPECT_EQ(flocks[1].live_count(), 4U);
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
