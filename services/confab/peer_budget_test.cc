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

// For one use.
PeerBudgetOptions Small(Use use) {
  return {.key = Of(use, {10, 1}), .host = Of(use, {20, 2}), .all = Of(use, {40, 4})};
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
