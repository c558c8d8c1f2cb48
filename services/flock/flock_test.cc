#include "services/flock/flock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
