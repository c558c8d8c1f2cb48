#include "services/flock/membership.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/flock/pair_keys.h"

namespace radix::flock {
namespace {

constexpr MemberId kSelf{0, 100};
constexpr MemberId kTeller{1, 101};
constexpr MemberId kOther{2, 102};

class MembershipTest : public testing::Test {
 protected:
  static NewsItem Item(const MemberId& id, std::uint32_t incarnation,
                       MemberState state = MemberState::kAlive,
                       std::vector<std::uint32_t> accusers = {}) {
    NewsItem item;
    item.record = {id, incarnation, state, 1};
    for (const std::uint32_t accuser : accusers) {
      item.accusers[item.accuser_count++] = accuser;
    }
    return item;
  }
  // Who may sign: a member that was there for a while, with a key of its own.
  static constexpr std::uint32_t kSigners = 40;  // slots from here on
  static Key SeedOf(std::uint32_t slot) { return Key{static_cast<std::uint8_t>(slot), 1}; }
  static std::uint64_t FingerprintOfSeed(const Key& seed) {
    return FingerprintOf(PairKeys(kSelf, seed, 0).public_key());
  }
  void MeetSigners() {
    for (std::uint32_t slot = kSigners; slot < kSigners + 4; ++slot) {
      NewsItem item = Item({slot, 100}, 1);
      item.record.fingerprint = FingerprintOfSeed(SeedOf(slot));
      membership_.MergeHearsay(item, kTeller, true, now_);
    }
    for (int i = 0; i < 5; ++i) membership_.HandleTimeout(now_ += 1s);
  }
  // Whether it counted.
  bool HearSigned(std::uint32_t author, const std::vector<MemberId>& accused,
                  StatementKind kind = StatementKind::kAccuses) {
    std::vector<Accused> list;
    for (const MemberId& id : accused) {
      const Member* const member = membership_.table().Find(id.slot);
      list.push_back({id.slot, member == nullptr ? 1 : CheckOf(member->record())});
    }
    const auto bytes = Signer(SeedOf(author), 0).Sign(kind, {author, 100}, 1, list);
    const auto statement = DecodeStatement(bytes);
    if (!membership_.Wants(*statement)) return false;
    membership_.Merge(*statement, kTeller, now_);
    return true;
  }
  void Hear(const NewsItem& item) { membership_.MergeHearsay(item, kTeller, false, now_); }
  MemberState StateOf(const MemberId& id) { return membership_.table().Find(id.slot)->state; }

  Instant now_{100s};
  std::vector<Event> events_;
  Membership membership_{Tunables{}, 50, 50, {kSelf, 1, MemberState::kAlive, 1}, events_, now_};
};

TEST_F(MembershipTest, RefutesWhatIsSaidOfItself) {
  Hear(Item(kSelf, 1, MemberState::kSuspect, {1}));
  EXPECT_EQ(membership_.self().incarnation, 2U);
  Hear(Item(kSelf, 5, MemberState::kDead));
  EXPECT_EQ(membership_.self().incarnation, 6U);
  Hear(Item(kSelf, 6 + (1U << 10)));  // who believes that will ask
  EXPECT_EQ(membership_.self().incarnation, 6U);
  Hear(Item(kSelf, 3, MemberState::kAlive));  // an old truth
  EXPECT_EQ(membership_.self().incarnation, 6U);
  Hear(Item({0, 77}, 8));  // an earlier boot of ours, still on the lists
  EXPECT_EQ(membership_.self().incarnation, 9U);
  EXPECT_EQ(membership_.table().Find(0)->incarnation, 9U);
}

// All of 5,000 nodes asked one that had refuted, as soon as they met somebody who had not heard.
TEST_F(MembershipTest, AFewAskWhoIsSaidToHaveRefutedAndNotAllThatHearOlderWord) {
  constexpr std::uint32_t kNodes = 300;
  constexpr std::uint32_t kRefuted = 7;
  std::size_t asked = 0;
  for (std::uint32_t self = 10; self < kNodes; ++self) {
    const Record own{{self, 1000 + self}, 1, MemberState::kAlive, 1};
    Membership membership(Tunables{}, kNodes, kNodes, own, events_, now_);
    for (std::uint32_t slot = 0; slot < kNodes; ++slot) {
      if (slot != self) membership.MergeHearsay(Item({slot, 1000 + slot}, 2), kTeller, true, now_);
    }
    membership.MergeHearsay(Item({kRefuted, 1000 + kRefuted}, 1), kTeller, true, now_);
    asked += membership.TakeDoubts().size();
  }
  EXPECT_GE(asked, 1U);
  EXPECT_LE(asked, 30U);
}

TEST_F(MembershipTest, SaysWhoAccusedThisNodeAndThatItRefuted) {
  Hear(Item(kSelf, 1, MemberState::kSuspect, {7}));
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[0].kind, EventKind::kSuspected);
  EXPECT_EQ(events_[0].reporter, kTeller);
  EXPECT_EQ(events_[0].witnesses.accusers[0], 7U);
  EXPECT_EQ(events_[1].kind, EventKind::kRefuted);
  EXPECT_EQ(events_[1].incarnation, 2U);
  Hear(Item(kSelf, 1, MemberState::kSuspect, {8}));
  EXPECT_EQ(events_.size(), 2U) << "that was refuted already";
  Hear(Item(kSelf, 2, MemberState::kDead));
  EXPECT_EQ(events_[2].witnesses.accusers[0], kTeller.slot) << "who removed it says no accusers";
}

TEST_F(MembershipTest, HearsayListsAndSuspectsButNeverRemoves) {
  Hear(Item(kOther, 1, MemberState::kDead));
  EXPECT_EQ(membership_.table().Find(2), nullptr);
  Hear(Item(kOther, 1));
  EXPECT_EQ(StateOf(kOther), MemberState::kAlive);
  Hear(Item(kOther, 1, MemberState::kDead));
  EXPECT_EQ(StateOf(kOther), MemberState::kSuspect);
  Hear(Item(kOther, 2));
  EXPECT_EQ(StateOf(kOther), MemberState::kAlive);
  EXPECT_EQ(events_.back().kind, EventKind::kRefuted);
}

TEST_F(MembershipTest, RemovesASuspectThatThreeSignedAgainstAndSaysWho) {
  MeetSigners();
  Hear(Item(kOther, 1));
  Hear(Item(kOther, 1, MemberState::kSuspect, {7, 8, 9}));
  EXPECT_EQ(membership_.TakeTells(), std::vector<std::uint32_t>{2});  // it hears of it first
  EXPECT_TRUE(HearSigned(kSigners, {kOther}));
  EXPECT_FALSE(HearSigned(kSigners, {kOther})) << "nothing new";
  EXPECT_TRUE(HearSigned(kSigners + 1, {kOther}));
  membership_.HandleTimeout(now_ += Tunables{}.suspicion_shortest);
  EXPECT_EQ(StateOf(kOther), MemberState::kSuspect) << "two are not enough";
  EXPECT_TRUE(HearSigned(kSigners + 2, {kOther}));
  membership_.HandleTimeout(now_ += Tunables{}.suspicion_shortest);
  EXPECT_EQ(StateOf(kOther), MemberState::kDead);
  EXPECT_EQ(events_.back().kind, EventKind::kDied);
  EXPECT_EQ(events_.back().witnesses.accuser_count, 3U);
  EXPECT_EQ(events_.back().witnesses.accusers[2], kSigners + 2);
  EXPECT_TRUE(membership_.HeldDead(kOther.slot));
  EXPECT_FALSE(membership_.HeldDead(kSigners));
  Hear(Item(kOther, 1));  // others still list it: it is asked to refute, not believed
  EXPECT_EQ(StateOf(kOther), MemberState::kDead);
  EXPECT_EQ(membership_.TakeTells(), std::vector<std::uint32_t>{2});
  Hear(Item(kOther, 2));
  EXPECT_EQ(StateOf(kOther), MemberState::kAlive);
}

TEST_F(MembershipTest, HearsayOfHoweverManyIsDropped) {
  Hear(Item(kOther, 1));
  Hear(Item(kOther, 1, MemberState::kSuspect, {7, 8, 9}));
  membership_.HandleTimeout(now_ += Tunables{}.suspicion_longest);
  EXPECT_EQ(StateOf(kOther), MemberState::kAlive);
  EXPECT_EQ(events_.back().evidence, Evidence::kNotConfirmed);
}

TEST_F(MembershipTest, OnlySettledMembersWithThatKeySignAgainstOthers) {
  Hear(Item(kOther, 1));
  NewsItem fresh = Item({kSigners, 100}, 1);
  fresh.record.fingerprint = FingerprintOfSeed(SeedOf(kSigners));
  Hear(fresh);
  EXPECT_FALSE(HearSigned(kSigners, {kOther})) << "it may be invented";
  MeetSigners();
  EXPECT_TRUE(HearSigned(kSigners, {kOther}));
  Hear(Item({30, 100}, 1));  // with another fingerprint than that of its key
  for (int i = 0; i < 5; ++i) membership_.HandleTimeout(now_ += 1s);
  EXPECT_FALSE(HearSigned(30, {kOther}));
  EXPECT_FALSE(HearSigned(31, {kOther})) << "unknown";
  EXPECT_FALSE(HearSigned(kSigners + 1, {{kSigners + 1, 100}})) << "itself";
  // Whom two signed against does not count for a while.
  HearSigned(kSigners + 1, {{kSigners, 100}});
  HearSigned(kSigners + 2, {{kSigners, 100}});
  Hear(Item({3, 103}, 1));
  EXPECT_FALSE(HearSigned(kSigners, {{3, 103}}));
}

TEST_F(MembershipTest, OnlyTheLeaverItselfSaysGoodBye) {
  MeetSigners();
  Hear(Item({kSigners, 100}, 1, MemberState::kLeft));
  EXPECT_NE(StateOf({kSigners, 100}), MemberState::kLeft);
  EXPECT_TRUE(HearSigned(kSigners, {}, StatementKind::kLeaves));
  EXPECT_EQ(StateOf({kSigners, 100}), MemberState::kLeft);
  EXPECT_EQ(events_.back().kind, EventKind::kLeft);
  EXPECT_FALSE(HearSigned(kSigners, {}, StatementKind::kLeaves));
}

TEST_F(MembershipTest, WhoIsToLookAtOnceLooksUnlessItHeardThatOneJustNow) {
  membership_.set_confirms(true);
  for (const std::uint32_t slot : {3U, 4U}) {
    Hear(Item({slot, 100 + slot}, 1));
    Contact& contact = membership_.table().Open(*membership_.table().Find(slot));
    contact.proven = true;
    contact.heard_at = contact.hears_us_at = now_ - (slot == 3 ? 1000ms : 100ms);
    Hear(Item({slot, 100 + slot}, 1, MemberState::kSuspect, {7}));
  }
  EXPECT_EQ(membership_.TakeConfirmations(9), (std::vector<MemberId>{{3, 103}}));
}

TEST_F(MembershipTest, WhatItCannotLookAtNowItLooksAtLaterUnlessThatOneRefuted) {
  membership_.set_confirms(true);
  for (const std::uint32_t slot : {3U, 4U, 5U, 6U}) {
    Hear(Item({slot, 100 + slot}, 1));
    Hear(Item({slot, 100 + slot}, 1, MemberState::kSuspect, {7}));
  }
  EXPECT_EQ(membership_.TakeConfirmations(2), (std::vector<MemberId>{{3, 103}, {4, 104}}));
  Hear(Item({5, 105}, 2));
  EXPECT_TRUE(membership_.TakeConfirmations(0).empty());
  EXPECT_EQ(membership_.TakeConfirmations(2), (std::vector<MemberId>{{6, 106}}));
  EXPECT_TRUE(membership_.TakeConfirmations(2).empty());
}

TEST_F(MembershipTest, WhatItFoundItselfItSignsLaterUnlessItIsToLookAtOnce) {
  Hear(Item(kOther, 1));
  membership_.AccuseOnOwnEvidence(kOther, {}, now_);
  EXPECT_TRUE(membership_.TakeAccusations(now_).empty());
  ASSERT_EQ(membership_.TakeAccusations(now_ + 2s).size(), 1U);
  membership_.set_confirms(true);
  Hear(Item({3, 103}, 1));
  Hear(Item({3, 103}, 1, MemberState::kSuspect, {7}));
  EXPECT_EQ(membership_.TakeConfirmations(9), (std::vector<MemberId>{{3, 103}}));
  membership_.AccuseOnOwnEvidence({3, 103}, {}, now_);
  const auto accused = membership_.TakeAccusations(now_);
  ASSERT_EQ(accused.size(), 1U);
  EXPECT_EQ(accused[0].slot, 3U);
  EXPECT_EQ(accused[0].check, CheckOf({{3, 103}, 1, MemberState::kAlive, 1}));
}

TEST_F(MembershipTest, ABriefSuspicionCountsOnlyAgainstTheVeryBootAndIncarnationThatItMeans) {
  Hear(Item(kOther, 2));
  NewsItem brief = Item(kOther, 0, MemberState::kSuspect, {7});
  for (const Record& meant :
       {Record{kOther, 1, MemberState::kAlive, 1}, Record{kOther, 3, MemberState::kAlive, 1},
        Record{{2, 103}, 2, MemberState::kAlive, 1}}) {
    brief.check = CheckOf(meant);
    Hear(brief);
    EXPECT_EQ(StateOf(kOther), MemberState::kAlive);
  }
  brief.check = CheckOf({kOther, 2, MemberState::kAlive, 1});
  Hear(brief);
  EXPECT_EQ(StateOf(kOther), MemberState::kSuspect);
  EXPECT_EQ(membership_.table().Find(2)->incarnation, 2U);
  // Of somebody unknown it says nothing, and of this node it is refuted.
  brief.record.id.slot = 9;
  Hear(brief);
  EXPECT_EQ(membership_.table().Find(9), nullptr);
  brief.record.id.slot = kSelf.slot;
  brief.check = CheckOf(membership_.self());
  Hear(brief);
  EXPECT_EQ(membership_.self().incarnation, 2U);
  Hear(brief);  // an old one
  EXPECT_EQ(membership_.self().incarnation, 2U);
}

TEST_F(MembershipTest, WhomAnotherHoldsForDeadHearsThatHoweverWeLearntIt) {
  for (std::uint32_t slot = 2; slot < 42; ++slot) {
    membership_.MergeHearsay(Item({slot, 100}, 1), kTeller, true, now_);
  }
  EXPECT_TRUE(membership_.news().empty());
  membership_.MergeHearsay(Item({5, 100}, 1, MemberState::kDead), kTeller, true, now_);
  EXPECT_EQ(StateOf({5, 100}), MemberState::kSuspect);
  EXPECT_EQ(membership_.news().size(), 1U);
}

TEST_F(MembershipTest, WhatOthersTellTooIsToldLessButNotWhatTheyDoNotKnowYet) {
  const auto tellings = [&] {
    int count = 0;
    for (; !membership_.news().empty(); ++count) {
      bool told = false;
      using enum News::Telling;
      membership_.news().Take([&](auto) { return std::exchange(told, true) ? kNoRoom : kTold; });
    }
    return count;
  };
  const NewsItem one = Item(kOther, 1, MemberState::kSuspect, {7});
  Hear(Item(kOther, 1));
  tellings();
  Hear(one);
  const int all = tellings();
  EXPECT_GT(all, 4);
  Hear(Item(kOther, 2));
  tellings();
  Hear(Item(kOther, 2, MemberState::kSuspect, {7}));
  Hear(Item(kOther, 2, MemberState::kSuspect, {7}));
  EXPECT_EQ(tellings(), all - 1);
  // One accuser makes others look: more are no news.
  Hear(Item(kOther, 2, MemberState::kSuspect, {7, 8}));
  membership_.AccuseOnOwnEvidence(kOther, {}, now_);
  EXPECT_EQ(tellings(), 0);
}

TEST_F(MembershipTest, WhoRefutedMeanwhileIsNotAccusedByWhoOnlyLookedBecauseOfOthers) {
  Hear(Item(kOther, 1));
  membership_.table().Open(*membership_.table().Find(kOther.slot)).proven = true;
  Hear(Item(kOther, 1, MemberState::kSuspect, {7}));
  Hear(Item(kOther, 2));
  membership_.ConfirmOnOwnEvidence(kOther, {}, now_);
  EXPECT_EQ(membership_.table().Find(kOther)->state, MemberState::kAlive);
  Hear(Item(kOther, 2, MemberState::kSuspect, {7}));
  membership_.ConfirmOnOwnEvidence(kOther, {}, now_ + Damping::kShortest);
  EXPECT_TRUE(membership_.suspicions().Find(kOther.slot)->own);
}

TEST_F(MembershipTest, WhoRefutesIsNotAccusedAgainAtOnceButIsAfterAWhile) {
  const auto accused = [this] { return StateOf(kOther) == MemberState::kSuspect; };
  Hear(Item(kOther, 1));
  membership_.table().Open(*membership_.table().Find(kOther.slot)).proven = true;
  membership_.AccuseOnOwnEvidence(kOther, {}, now_);
  ASSERT_TRUE(accused());
  Hear(Item(kOther, 2));
  membership_.AccuseOnOwnEvidence(kOther, {}, now_ += 1400ms);
  EXPECT_FALSE(accused());
  membership_.AccuseOnOwnEvidence(kOther, {}, now_ += 100ms);
  EXPECT_TRUE(accused());
  Hear(Item(kOther, 3));
  membership_.AccuseOnOwnEvidence(kOther, {}, now_ += 2900ms);
  EXPECT_FALSE(accused());
  membership_.AccuseOnOwnEvidence(kOther, {}, now_ += 100ms);
  EXPECT_TRUE(accused());
  // What others found counts all the same.
  Hear(Item(kOther, 4));
  Hear(Item(kOther, 4, MemberState::kSuspect, {7}));
  EXPECT_TRUE(accused());
}

TEST_F(MembershipTest, WhomNobodyKnowsYetIsAccusedHoweverOftenOthersSayThatItRefuted) {
  Hear(Item(kOther, 1));
  Hear(Item(kOther, 1, MemberState::kSuspect, {7}));
  Hear(Item(kOther, 2));
  membership_.ConfirmOnOwnEvidence(kOther, {}, now_);
  EXPECT_TRUE(membership_.suspicions().Find(kOther.slot)->own);
}

TEST_F(MembershipTest, ASuspectIsToldByItsAccuserAndByAFewOthersHoweverManyThereAre) {
  std::size_t tellers = 0;
  for (std::uint32_t self = 1000; self < 1400; ++self) {
    std::vector<Event> events;
    Membership membership(Tunables{}, 2000, 400, {{self, 1}, 1, MemberState::kAlive, 1}, events,
                          now_);
    for (std::uint32_t slot = 2; slot < 400; ++slot) {
      membership.MergeHearsay(Item({slot, 100}, 1), kTeller, true, now_);
    }
    membership.MergeHearsay(Item({2, 100}, 1, MemberState::kSuspect, {7}), kTeller, false, now_);
    tellers += membership.TakeTells().size();
    membership.AccuseOnOwnEvidence({3, 100}, {}, now_);
    EXPECT_EQ(membership.TakeTells(), std::vector<std::uint32_t>{3});
    // When very many are to be told, they are told little by little.
    for (std::uint32_t slot = 4; slot < 400; ++slot) {
      membership.AccuseOnOwnEvidence({slot, 100}, {}, now_);
    }
    EXPECT_LE(membership.TakeTells().size(), 15U);
  }
  EXPECT_GE(tellers, 4U);
  EXPECT_LE(tellers, 16U);
}

TEST_F(MembershipTest, EachFurtherAccuserIsAnEventWithTheEvidence) {
  Hear(Item(kOther, 3));
  Witnesses probes;
  probes.AddRelay(5);
  probes.relay_failures = 1;
  membership_.AccuseOnOwnEvidence(kOther, probes, now_);
  EXPECT_EQ(events_.back().evidence, Evidence::kProbesUnanswered);
  EXPECT_EQ(events_.back().reporter, kSelf);
  EXPECT_EQ(events_.back().incarnation, 3U);
  EXPECT_EQ(events_.back().witnesses.relays[0], 5U);
  EXPECT_EQ(events_.back().witnesses.accusers[0], kSelf.slot);
  Hear(Item(kOther, 3, MemberState::kSuspect, {0, 7}));
  EXPECT_EQ(events_.back().kind, EventKind::kSuspected);
  EXPECT_EQ(events_.back().evidence, Evidence::kHearsay);
  EXPECT_EQ(events_.back().reporter, kTeller);
  EXPECT_EQ(events_.back().witnesses.accuser_count, 2U);
  EXPECT_EQ(events_.back().witnesses.accusers[1], 7U);
  const std::size_t count = events_.size();
  Hear(Item(kOther, 3, MemberState::kSuspect, {7}));
  EXPECT_EQ(events_.size(), count) << "nothing new";
}

TEST_F(MembershipTest, DoesNotRemoveWhomItHearsItself) {
  Member* member = membership_.Prove({kOther, 1, MemberState::kAlive, 1}, now_);
  Contact& contact = membership_.table().Open(*member);
  contact.proven = true;
  MeetSigners();
  for (std::uint32_t i = 0; i < 3; ++i) HearSigned(kSigners + i, {kOther});
  now_ += Tunables{}.suspicion_shortest;
  contact.heard_at = contact.hears_us_at = now_ - 100ms;
  membership_.HandleTimeout(now_);
  EXPECT_EQ(StateOf(kOther), MemberState::kAlive);
  EXPECT_EQ(events_.back().evidence, Evidence::kStillHeard);
}

TEST_F(MembershipTest, ForgetsTheDeadAfterAWhileButNotWhoCameBack) {
  MeetSigners();
  for (const std::uint32_t slot : {2U, 3U}) {
    Hear(Item({slot, 100 + slot}, 1));
    for (std::uint32_t i = 0; i < 3; ++i) HearSigned(kSigners + i, {{slot, 100 + slot}});
  }
  now_ += Tunables{}.suspicion_longest;
  membership_.HandleTimeout(now_);
  EXPECT_EQ(membership_.table().live_count(), 5U);
  EXPECT_EQ(membership_.table().size(), 7U);
  Hear(Item({3, 103}, 2));
  now_ += Tunables{}.tombstone + 11s;
  membership_.HandleTimeout(now_);
  EXPECT_EQ(membership_.table().Find(2), nullptr);
  EXPECT_EQ(StateOf({3, 103}), MemberState::kAlive);
}

TEST_F(MembershipTest, ANewBootReplacesTheOldOneAndNotTheOtherWayRound) {
  Hear(Item(kOther, 3));
  const MemberId rebooted{2, 55};
  EXPECT_EQ(membership_.Prove({rebooted, 1, MemberState::kAlive, 1}, now_), nullptr);
  EXPECT_NE(membership_.Prove({rebooted, 4, MemberState::kAlive, 1}, now_), nullptr);
  EXPECT_EQ(membership_.table().Find(2)->boot, 55U);
  EXPECT_EQ(events_.back().evidence, Evidence::kReplacedByBoot);
  EXPECT_EQ(events_.back().value, kOther.boot);
  Hear(Item(kOther, 3));
  EXPECT_EQ(membership_.table().Find(2)->boot, 55U);
  EXPECT_EQ(membership_.table().live_count(), 2U);
}

TEST_F(MembershipTest, ThatAMachineBootedAgainIsNotBelievedButAsked) {
  Hear(Item(kOther, 3));
  const MemberId rebooted{2, 55};
  Hear(Item(rebooted, 4));
  EXPECT_EQ(membership_.table().Find(2)->boot, kOther.boot);
  EXPECT_EQ(membership_.TakeDoubts(), std::vector<MemberId>{rebooted});
  EXPECT_NE(membership_.Prove({rebooted, 4, MemberState::kAlive, 1}, now_), nullptr);
  EXPECT_EQ(membership_.table().Find(2)->boot, 55U);
}

// Both may be dead; then nobody else looks at the one that is listed here.
TEST_F(MembershipTest, WhoIsSaidToHaveBeenReplacedIsLookedAtUnlessItIsHeard) {
  const MemberId rebooted{2, 55};
  Hear(Item(kOther, 3));
  Hear(Item(rebooted, 2));
  EXPECT_TRUE(membership_.TakeReplaced().empty()) << "by an earlier one";
  Hear(Item(rebooted, 4));
  EXPECT_EQ(membership_.TakeReplaced(), std::vector<MemberId>{kOther});
  Hear(Item(rebooted, 4, MemberState::kDead));
  EXPECT_EQ(membership_.TakeReplaced(), std::vector<MemberId>{kOther});
  Contact& contact = membership_.table().Open(*membership_.table().Find(kOther));
  contact.proven = true;
  contact.heard_at = contact.hears_us_at = now_;
  Hear(Item(rebooted, 4));
  EXPECT_TRUE(membership_.TakeReplaced().empty()) << "it is there";
  contact.heard_at = kNever;
  membership_.AccuseOnOwnEvidence(kOther, {}, now_);
  Hear(Item(rebooted, 4));
  EXPECT_TRUE(membership_.TakeReplaced().empty()) << "it was looked at";
  EXPECT_EQ(membership_.table().Find(2)->boot, 55U);
}

TEST_F(MembershipTest, AbsurdIncarnationsAreRefused) {
  Hear(Item(kOther, 1));
  Hear(Item(kOther, 1 + (1U << 10)));
  EXPECT_EQ(membership_.table().Find(2)->incarnation, 1U);
  EXPECT_EQ(membership_.TakeDoubts(), std::vector<MemberId>{kOther}) << "its own word is believed";
  Hear(Item(kOther, 60));
  EXPECT_EQ(membership_.table().Find(2)->incarnation, 60U);
  membership_.MergeDirect(*membership_.table().Find(2), 2, false, now_);
  EXPECT_EQ(membership_.table().Find(2)->incarnation, 60U);
  membership_.MergeDirect(*membership_.table().Find(2), 2, true, now_);
  EXPECT_EQ(membership_.table().Find(2)->incarnation, 2U) << "whatever others said";
  Hear(Item(kSelf, 0xFFFFFFFF, MemberState::kDead));
  EXPECT_EQ(membership_.self().incarnation, 1U);
  Hear(Item({49, 1}, 1));
  Hear(Item({50, 1}, 1));  // no such slot
  EXPECT_EQ(membership_.table().live_count(), 3U);
}

TEST_F(MembershipTest, ForgetsTombstonesInTheEnd) {
  MeetSigners();
  HearSigned(kSigners, {}, StatementKind::kLeaves);
  EXPECT_EQ(events_.back().kind, EventKind::kLeft);
  membership_.HandleTimeout(now_ + Tunables{}.tombstone);
  EXPECT_NE(membership_.table().Find(kSigners), nullptr);
  membership_.HandleTimeout(now_ + Tunables{}.tombstone + 20s);
  EXPECT_EQ(membership_.table().Find(kSigners), nullptr);
}

TEST_F(MembershipTest, ViewsConvergeInWhateverOrderTheSameNewsArrives) {
  std::vector<NewsItem> items;
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const auto slot = static_cast<std::uint32_t>(2 + random.Below(20));
    items.push_back(Item({slot, 1}, static_cast<std::uint32_t>(1 + random.Below(5))));
  }
  std::uint64_t hash = 0;
  for (int order = 0; order < 20; ++order) {
    std::vector<Event> events;
    Membership membership(Tunables{}, 50, 50, {kSelf, 1, MemberState::kAlive, 1}, events, now_);
    for (const NewsItem& item : items) membership.MergeHearsay(item, kTeller, false, now_);
    if (order == 0) hash = membership.table().view_hash();
    EXPECT_EQ(membership.table().view_hash(), hash);
    random.Shuffle(items);
  }
}

}  // namespace
}  // namespace radix::flock
