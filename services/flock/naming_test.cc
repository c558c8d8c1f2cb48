#include "services/flock/naming.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace radix::flock {
namespace {

constexpr Instant kStart{1000s};
constexpr MemberId kSelf{0, 100};

MemberView View(const MemberId& id, MemberState state = MemberState::kAlive) {
  return {.id = id, .state = state};
}

Naming MakeNaming() { return Naming(kSelf, {"n1", {"KV"}}); }

TEST(NamingTest, KnowsItselfAtOnceAndAsksNobody) {
  Naming naming = MakeNaming();
  EXPECT_EQ(naming.Find(kSelf)->name, "n1");
  EXPECT_EQ(naming.NextTimeout(), Instant::max());
  EXPECT_FALSE(naming.PollRequest(kStart));
}

TEST(NamingTest, AsksALiveMemberUntilItAnswersAndEverMoreSeldom) {
  Naming naming = MakeNaming();
  const MemberId other{1, 7};
  naming.HandleLive(other, kStart - Naming::kQuiet);
  EXPECT_EQ(naming.PollRequest(kStart), other);
  EXPECT_FALSE(naming.PollRequest(kStart + 1s));
  EXPECT_EQ(naming.NextTimeout(), kStart + 2s);
  EXPECT_EQ(naming.PollRequest(kStart + 2s), other);
  EXPECT_FALSE(naming.PollRequest(kStart + 5s));
  EXPECT_EQ(naming.PollRequest(kStart + 6s), other);
  EXPECT_FALSE(naming.HandleIntroduction(other, {"n2", {}}));
  EXPECT_EQ(naming.NextTimeout(), Instant::max());
  EXPECT_EQ(naming.Find(other)->name, "n2");
}

TEST(NamingTest, AsksNobodyWhileMembersComeOneAfterAnotherButNotForLong) {
  Naming naming = MakeNaming();
  std::uint32_t slot = 1;
  Instant now = kStart;
  for (; now < kStart + Naming::kQuietMost; now += Naming::kQuiet / 2) {
    naming.HandleLive({slot++, 7}, now);
    EXPECT_FALSE(naming.PollRequest(now)) << slot;
  }
  EXPECT_TRUE(naming.PollRequest(now));
  // Once all have said what they are called it is as in the beginning.
  while (slot > 1) naming.HandleIntroduction({--slot, 7}, {"n" + std::to_string(slot + 1), {}});
  naming.HandleLive({100, 7}, now + 9s);
  EXPECT_EQ(naming.NextTimeout(), now + 9s + Naming::kQuiet);
}

TEST(NamingTest, AsksAgainAfterARebootAndNotWhenDead) {
  Naming naming = MakeNaming();
  naming.HandleLive({1, 7}, kStart - 1s);
  naming.HandleIntroduction({1, 7}, {"n2", {}});
  naming.HandleLive({1, 8}, kStart - 1s);
  EXPECT_EQ(naming.PollRequest(kStart), (MemberId{1, 8}));
  naming.HandleGone({1, 8});
  EXPECT_EQ(naming.NextTimeout(), Instant::max());
  naming.HandleLive({1, 8}, kStart + 8s);
  EXPECT_EQ(naming.PollRequest(kStart + 9s), (MemberId{1, 8}));
}

TEST(NamingTest, PacesItsQuestions) {
  Naming naming = MakeNaming();
  for (std::uint32_t slot = 1; slot <= 1000; ++slot) naming.HandleLive({slot, 7}, kStart - 1s);
  int asked = 0;
  for (Instant now = kStart; now < kStart + 1s; now += 1ms) {
    while (naming.PollRequest(now)) ++asked;
  }
  EXPECT_GE(asked, 100);
  EXPECT_LE(asked, 140);
}

TEST(NamingTest, ReconcileAddsWhatWasMissedAndForgetsWhoIsForgotten) {
  Naming naming = MakeNaming();
  naming.HandleLive({1, 7}, kStart);
  naming.HandleIntroduction({1, 7}, {"n2", {}});
  naming.Reconcile({View(kSelf), View({2, 7}), View({3, 7}, MemberState::kDead)}, kStart);
  EXPECT_EQ(naming.Find({1, 7}), nullptr);
  EXPECT_EQ(naming.PollRequest(kStart + 1s), (MemberId{2, 7}));
  EXPECT_FALSE(naming.PollRequest(kStart + 2s));
  // The name is free again.
  EXPECT_FALSE(naming.HandleIntroduction({2, 7}, {"n2", {}}));
}

TEST(NamingTest, ReportsTwoLiveMachinesOfOneNameOnce) {
  Naming naming = MakeNaming();
  naming.HandleLive({1, 7}, kStart);
  naming.HandleLive({2, 7}, kStart);
  EXPECT_FALSE(naming.HandleIntroduction({1, 7}, {"twin", {}}));
  EXPECT_EQ(naming.HandleIntroduction({2, 7}, {"twin", {}}), (MemberId{1, 7}));
  EXPECT_FALSE(naming.HandleIntroduction({2, 7}, {"twin", {}}));
  // Its own name, too.
  naming.HandleLive({3, 7}, kStart);
  EXPECT_EQ(naming.HandleIntroduction({3, 7}, {"n1", {}}), kSelf);
}

TEST(NamingTest, ARebootOrASuccessorMayHaveTheName) {
  Naming naming = MakeNaming();
  for (const MemberId& id : {MemberId{1, 7}, MemberId{1, 8}, MemberId{2, 9}}) {
    naming.HandleLive(id, kStart);
  }
  EXPECT_FALSE(naming.HandleIntroduction({1, 7}, {"n2", {}}));
  EXPECT_FALSE(naming.HandleIntroduction({1, 8}, {"n2", {}})) << "the same machine, rebooted";
  naming.HandleGone({1, 8});
  EXPECT_FALSE(naming.HandleIntroduction({2, 9}, {"n2", {}})) << "the other one is dead";
}

TEST(NamingTest, RemembersTheNamesOfTheForgotten) {
  Naming naming = MakeNaming();
  naming.HandleLive({1, 7}, kStart);
  EXPECT_EQ(naming.unnamed_count(), 1U);
  EXPECT_EQ(naming.SlotOf("n2"), std::nullopt);
  naming.HandleIntroduction({1, 7}, {"n2", {}});
  EXPECT_EQ(naming.SlotOf("n2"), 1U);
  naming.Reconcile({View(kSelf)}, kStart);
  EXPECT_EQ(naming.NameOf({1, 7}), "n2");
  EXPECT_EQ(naming.NameOf({1, 8}), "");
  EXPECT_EQ(naming.NameAt(1), "n2");
  EXPECT_EQ(naming.NameAt(2), "");
  EXPECT_EQ(naming.SlotOf("n2"), 1U);
  // The machine got another address: its name is where it lives.
  naming.HandleLive({5, 9}, kStart);
  naming.HandleIntroduction({5, 9}, {"n2", {}});
  EXPECT_EQ(naming.SlotOf("n2"), 5U);
  for (std::uint32_t i = 0; i < 2 * Naming::kFormerMax; ++i) {
    naming.HandleLive({6, 100 + i}, kStart);
    naming.HandleIntroduction({6, 100 + i}, {"n7", {}});
    naming.Reconcile({View(kSelf), View({5, 9})}, kStart);
  }
  EXPECT_EQ(naming.NameOf({1, 7}), "") << "too many have been forgotten since";
}

TEST(NamingTest, IgnoresIntroductionsOfStrangers) {
  Naming naming = MakeNaming();
  EXPECT_FALSE(naming.HandleIntroduction({5, 5}, {"n1", {}}));
  EXPECT_EQ(naming.Find({5, 5}), nullptr);
}

}  // namespace
}  // namespace radix::flock
