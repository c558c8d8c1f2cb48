#include "services/confab/peer_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace radix::confab {
namespace {

using testing::HasSubstr;

constexpr Allowances Of(Use use, Allowance allowance) {
  Allowances allowances{};
  allowances[static_cast<std::size_t>(use)] = allowance;
  return allowances;
}

// For one use; nothing of it is kept for anybody.
PeerBudgetOptions Small(Use use) {
  return {
      .key = Of(use, {10, 1}), .host = Of(use, {20, 2}), .all = Of(use, {40, 4}), .for_known = 0};
}

KeyId Key(std::uint8_t number) {
  KeyId key;
  key.bytes[0] = number;
  return key;
}

class PeerBudgetTest : public testing::Test {
 protected:
  std::optional<Excess> Reset(std::uint8_t key, const std::string& host, double amount = 1) {
    return budget_.Charge({host, Key(key)}, Use::kResets, amount, now_);
  }

  Instant now_ = Instant{} + 1h;
  PeerBudget budget_{Small(Use::kResets)};
};

TEST_F(PeerBudgetTest, AKeyHasSoMuchAtOnceAndSoMuchASecond) {
  EXPECT_FALSE(Reset(1, "a", 10));
  const auto excess = Reset(1, "a");
  ASSERT_TRUE(excess);
  EXPECT_EQ(excess->whose, Excess::Whose::kKey);
  EXPECT_EQ(excess->use, Use::kResets);
  EXPECT_EQ(excess->ToString(),
            "calls without an answer: more than 10 at once and 1 a second of one key; shut out for "
            "1 s");
  now_ += 3s;
  EXPECT_FALSE(Reset(1, "a", 3));
  EXPECT_TRUE(Reset(1, "a"));
}

TEST_F(PeerBudgetTest, AnotherKeyHasItsOwn) {
  EXPECT_TRUE(Reset(1, "a", 11));
  EXPECT_FALSE(Reset(2, "b", 10));
  EXPECT_TRUE(budget_.IsBarred(Key(1), now_));
  EXPECT_FALSE(budget_.IsBarred(Key(2), now_));
  EXPECT_FALSE(budget_.AdmitKey(Key(1), now_).ok());
  EXPECT_TRUE(budget_.AdmitKey(Key(2), now_).ok());
}

// Whoever has a node's key makes itself a new TLS key for each connection.
TEST_F(PeerBudgetTest, ManyKeysOfOneHostShareItsAllowance) {
  EXPECT_FALSE(Reset(1, "a", 10));
  EXPECT_FALSE(Reset(2, "a", 10));
  const auto excess = Reset(3, "a");
  ASSERT_TRUE(excess);
  EXPECT_EQ(excess->whose, Excess::Whose::kHost);
  EXPECT_EQ(excess->barred, 1s);
  EXPECT_FALSE(budget_.AdmitHost("a", now_).ok());
  EXPECT_FALSE(budget_.HearHost("a", now_).ok());
  EXPECT_TRUE(budget_.AdmitHost("b", now_).ok());
  EXPECT_TRUE(budget_.AdmitKey(Key(3), now_).ok()) << "somewhere else it may come";
}

TEST_F(PeerBudgetTest, AllTogetherHaveNoMoreThanTheServerAndNobodyIsShutOutForIt) {
  for (std::uint8_t number = 1; number <= 4; ++number) {
    EXPECT_FALSE(Reset(number, absl::StrCat("host ", number), 10));
  }
  const auto excess = Reset(5, "host 5");
  ASSERT_TRUE(excess);
  EXPECT_EQ(excess->whose, Excess::Whose::kAll);
  EXPECT_EQ(excess->barred, 0s);
  EXPECT_TRUE(budget_.AdmitKey(Key(5), now_).ok());
  EXPECT_THAT(excess->ToString(), HasSubstr("of all callers together"));
}

TEST_F(PeerBudgetTest, WhoDoesItAgainIsShutOutTwiceAsLong) {
  Duration expected = 1s;
  for (int i = 0; i < 10; ++i) {
    const auto excess = Reset(1, "a", 1000);
    ASSERT_TRUE(excess);
    EXPECT_EQ(excess->barred, expected);
    EXPECT_FALSE(budget_.AdmitKey(Key(1), now_ + expected - 1ms).ok());
    now_ += expected;
    EXPECT_TRUE(budget_.AdmitKey(Key(1), now_).ok());
    expected = std::min<Duration>(2 * expected, 60s);
  }
}

TEST_F(PeerBudgetTest, WhoIsShutOutIsNotShutOutForLonger) {
  EXPECT_TRUE(Reset(1, "a", 1000));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Reset(1, "a", 1000)->barred, 1s);
  now_ += 1s;
  EXPECT_TRUE(budget_.AdmitKey(Key(1), now_).ok());
}

TEST_F(PeerBudgetTest, WhatIsLongPastIsForgiven) {
  EXPECT_TRUE(Reset(1, "a", 1000));
  now_ += 1s;
  EXPECT_TRUE(Reset(1, "a", 1000));
  now_ += 2s + PeerBudgetOptions{}.forgiven_after;
  EXPECT_EQ(Reset(1, "a", 1000)->barred, 1s);
}

// It would take 1000 s to pay for that; a client that did it by accident is back after 10.
TEST_F(PeerBudgetTest, AHugeExcessIsPaidForLikeASmallOne) {
  EXPECT_TRUE(Reset(1, "a", 1000));
  now_ += 10s;
  EXPECT_FALSE(Reset(1, "a", 10));
}

TEST_F(PeerBudgetTest, WhatIsNotCountedHasNoLimit) {
  EXPECT_FALSE(budget_.Charge({"a", Key(1)}, Use::kStray, 1e12, now_));
  PeerBudget unlimited({.key = {}, .host = {}, .all = {}});
  for (int i = 0; i < 10000; ++i) {
    EXPECT_TRUE(unlimited.AdmitHost("a", now_).ok());
    EXPECT_TRUE(unlimited.AdmitKey(Key(1), now_).ok());
    EXPECT_FALSE(unlimited.Charge({"a", Key(1)}, Use::kResets, 1000, now_));
  }
}

TEST_F(PeerBudgetTest, ALevelGoesDownAgainOnlyWhenItIsGivenBack) {
  PeerBudget budget({.key = Of(Use::kStreams, {10, 0}), .host = {}, .all = {}});
  const Peer peer{"a", Key(1)};
  EXPECT_TRUE(budget.Charge(peer, Use::kStreams, 25, now_));
  now_ += 1h;
  EXPECT_FALSE(budget.Charge(peer, Use::kStreams, -20, now_));
  EXPECT_FALSE(budget.Charge(peer, Use::kStreams, 5, now_));
  EXPECT_TRUE(budget.Charge(peer, Use::kStreams, 1, now_));
}

// Its memory is free again. But who goes on with the next connection goes on with the same budget.
TEST_F(PeerBudgetTest, TheStrayBytesOfAConnectionThatEndedBurdenNobodyElse) {
  PeerBudget budget(Small(Use::kStray));
  for (std::uint8_t number = 1; number <= 10; ++number) {
    const Peer peer{absl::StrCat("host ", number), Key(number)};
    EXPECT_FALSE(budget.Charge(peer, Use::kStray, 10, now_)) << number;
    budget.HandleEnd(peer, 0, 10, now_);
    EXPECT_TRUE(budget.Charge(peer, Use::kStray, 1, now_)) << number;
    budget.HandleEnd(peer, 0, 1, now_);
  }
}

TEST_F(PeerBudgetTest, AHostOfStrangersIsRefusedUntilTheyAreLetInOrForgotten) {
  PeerBudget budget(Small(Use::kStrangers));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(budget.AdmitHost("a", now_).ok());
  EXPECT_FALSE(budget.HearHost("a", now_).ok());
  EXPECT_FALSE(budget.AdmitHost("a", now_).ok());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(budget.HearHost("b", now_).ok()) << "it costs nothing";
  EXPECT_TRUE(budget.AdmitHost("b", now_).ok());
  budget.HandleLetIn("a", now_);
  EXPECT_TRUE(budget.AdmitHost("a", now_).ok());
  EXPECT_FALSE(budget.AdmitHost("a", now_).ok());
  now_ += 1s;
  EXPECT_TRUE(budget.AdmitHost("a", now_).ok());
  EXPECT_TRUE(budget.AdmitHost("a", now_).ok());
  EXPECT_FALSE(budget.AdmitHost("a", now_).ok());
}

TEST_F(PeerBudgetTest, WhoIsRefusedCostsNobodyAnything) {
  PeerBudget budget(Small(Use::kConnections));
  for (int i = 0; i < 1000; ++i) budget.AdmitHost("a", now_).IgnoreError();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(budget.AdmitHost("b", now_).ok()) << i;
  EXPECT_FALSE(budget.AdmitHost("c", now_).ok()) << "all have 40, and both took their 20";
}

// Who is to come later has been charged for nothing, however often it asks.
TEST_F(PeerBudgetTest, WhileAllTogetherHaveTooManyConnectionsOthersMayComeLater) {
  PeerBudget budget(Small(Use::kConnections));
  for (const char* host : {"a", "b"}) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(budget.AdmitHost(host, now_).ok());
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(budget.AdmitHost("c", now_).code(), absl::StatusCode::kUnavailable);
  }
  now_ += 5s;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(budget.AdmitHost("c", now_).ok()) << i;
  EXPECT_EQ(budget.AdmitHost("a", now_).code(), absl::StatusCode::kUnavailable);
}

TEST_F(PeerBudgetTest, StrangersLeaveTheRestToHostsOfWhichSomebodyWasLetInBefore) {
  PeerBudgetOptions options = Small(Use::kConnections);
  options.for_known = 0.25;
  PeerBudget budget(options);
  EXPECT_TRUE(budget.AdmitHost("good", now_).ok());
  EXPECT_FALSE(budget.Knows("good"));
  budget.HandleLetIn("good", now_);
  EXPECT_TRUE(budget.Knows("good"));
  for (int i = 0; i < 29; ++i) {
    EXPECT_TRUE(budget.AdmitHost(absl::StrCat("stranger ", i), now_).ok()) << i;
  }
  EXPECT_FALSE(budget.AdmitHost("stranger", now_).ok());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.AdmitHost("good", now_).ok()) << i;
  EXPECT_FALSE(budget.AdmitHost("good", now_).ok());
}

TEST_F(PeerBudgetTest, AKeyConnectsOnlySoOften) {
  PeerBudget budget(Small(Use::kConnections));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.AdmitKey(Key(1), now_).ok());
  EXPECT_FALSE(budget.AdmitKey(Key(1), now_).ok());
  EXPECT_TRUE(budget.AdmitKey(Key(2), now_).ok());
  EXPECT_FALSE(budget.IsBarred(Key(1), now_)) << "only this connection is too much";
  now_ += 1s;
  EXPECT_TRUE(budget.AdmitKey(Key(1), now_).ok());
}

TEST_F(PeerBudgetTest, OnlySoManyAreRememberedAndTheLatestAre) {
  PeerBudgetOptions options = Small(Use::kResets);
  options.all = {};
  options.accounts_max = 16;
  PeerBudget budget(options);
  for (int i = 0; i < 10000; ++i) {
    budget.Charge({absl::StrCat("host ", i), std::nullopt}, Use::kResets, 20, now_);
    now_ += 1us;
    EXPECT_LE(budget.accounts(), 16U);
  }
  EXPECT_TRUE(budget.Charge({"host 9999", std::nullopt}, Use::kResets, 1, now_));
  EXPECT_FALSE(budget.Charge({"host 1", std::nullopt}, Use::kResets, 1, now_));
}

TEST_F(PeerBudgetTest, WhoIsShutOutIsRememberedBeforeAllOthers) {
  PeerBudgetOptions options = Small(Use::kResets);
  options.all = {};
  options.accounts_max = 16;
  PeerBudget budget(options);
  EXPECT_TRUE(budget.Charge({"bad", std::nullopt}, Use::kResets, 21, now_));
  for (int i = 0; i < 1000; ++i) {
    now_ += 100us;
    budget.AdmitHost(absl::StrCat("host ", i), now_).IgnoreError();
    EXPECT_FALSE(budget.HearHost("bad", now_).ok()) << i;
  }
  now_ += 1s;
  EXPECT_TRUE(budget.HearHost("bad", now_).ok());
}

// And a half of all accounts at most: of strangers there would be nothing to go by else.
TEST_F(PeerBudgetTest, WhoWasLetInIsRememberedBeforeStrangers) {
  PeerBudgetOptions options = Small(Use::kStrangers);
  options.all = {};
  options.accounts_max = 16;
  PeerBudget budget(options);
  budget.HandleLetIn("good", now_);
  for (int i = 0; i < 1000; ++i) {
    now_ += 100us;
    budget.AdmitHost(absl::StrCat("host ", i), now_).IgnoreError();
  }
  EXPECT_TRUE(budget.Knows("good"));
  for (int i = 0; i < 1000; ++i) {
    now_ += 100us;
    budget.HandleLetIn(absl::StrCat("host ", i), now_);
  }
  EXPECT_FALSE(budget.Knows("good"));
  for (int i = 0; i < 7; ++i) {
    now_ += 100us;
    budget.AdmitHost(absl::StrCat("stranger ", i), now_).IgnoreError();
  }
  EXPECT_TRUE(budget.Knows("host 999"));
}

TEST_F(PeerBudgetTest, WhoOnlyConnectsTakesNoAccount) {
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(budget_.HearHost(absl::StrCat(i), now_).ok());
  EXPECT_EQ(budget_.accounts(), 0U);
}

// Whoever has an IPv6 address has 2^64 of them.
TEST(HostOfTest, AHostIsAnIpv4AddressOrThe64BitsThatAnIpv6NetworkHas) {
  const auto host = [](const char* address) { return HostOf(*IpAddress::Parse(address)); };
  EXPECT_EQ(host("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(host("::ffff:10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(host("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(host("2001:db8:1:2:ffff::1"), host("2001:db8:1:2::"));
  EXPECT_NE(host("2001:db8:1:3::1"), host("2001:db8:1:2::1"));
}

// What a lab of 200 nodes on one machine does when it is powered up, and what a client does whose
// server stood still.
TEST_F(PeerBudgetTest, GoodPeersHaveEnough) {
  PeerBudget budget;
  for (int node = 0; node < 200; ++node) {
    EXPECT_TRUE(budget.AdmitHost("127.0.0.1", now_).ok());
    budget.HandleLetIn("127.0.0.1", now_ + 20ms);
    now_ += 5ms;
  }
  const Peer client{"10.0.0.1", Key(1)};
  EXPECT_FALSE(budget.Charge(client, Use::kResets, 1000, now_));
  EXPECT_FALSE(budget.Charge(client, Use::kStreams, 1024, now_));
  EXPECT_FALSE(budget.Charge(client, Use::kStray, 64 << 20, now_));
}

}  // namespace
}  // namespace radix::confab
