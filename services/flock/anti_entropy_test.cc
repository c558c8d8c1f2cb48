#include "services/flock/anti_entropy.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>

namespace radix::flock {
namespace {

constexpr std::uint32_t kSlots = 256;

MemberTable TableOf(std::initializer_list<Record> records) {
  MemberTable table(kSlots, 16);
  for (const Record& record : records) table.Add(record);
  return table;
}

Record At(std::uint32_t slot, std::uint32_t incarnation = 1, std::uint64_t boot = 7) {
  return {{slot, boot}, incarnation, MemberState::kAlive, 5};
}

// What `ours` makes of the words of `theirs`.
Difference DifferenceOf(const MemberTable& ours, const MemberTable& theirs,
                        std::size_t limit = 100) {
  std::array<std::uint8_t, kWordsBytesMax> bytes;
  Writer out(bytes);
  const std::uint64_t present = EncodeWords(theirs, 0, out);
  return Compare(ours, Words{0, false, present, out.written()}, limit, 0);
}

bool DiffersFrom(const MemberTable& ours, const MemberTable& theirs) {
  std::array<std::uint8_t, kWordsBytesMax> bytes;
  Writer out(bytes);
  const std::uint64_t present = EncodeWords(theirs, 0, out);
  return Differs(ours, Words{0, false, present, out.written()});
}

using Slots = std::vector<std::uint32_t>;

TEST(AntiEntropy, WordsOfWhichNobodyLivesAreLeftOut) {
  std::array<std::uint8_t, kWordsBytesMax> bytes;
  Writer out(bytes);
  EXPECT_EQ(EncodeWords(TableOf({At(70), At(71), At(255)}), 0, out), 0b1010U);
  EXPECT_EQ(out.size(), 2 * kWordBytes);
  const MemberTable none = TableOf({});
  EXPECT_EQ(DifferenceOf(TableOf({At(70)}), none).send, Slots{70});
  EXPECT_TRUE(DifferenceOf(none, TableOf({At(70)})).lacking);
  EXPECT_TRUE(DiffersFrom(none, TableOf({At(70)})));
  EXPECT_TRUE(DiffersFrom(TableOf({At(70)}), none));
}

TEST(AntiEntropy, WordsThatTheRangesDoNotHaveSayNothing) {
  const MemberTable table = TableOf({At(1)});
  const std::array<std::uint8_t, kWordBytes> word{1};
  const Words words{0, false, 0b10000, word};
  EXPECT_FALSE(Differs(table, words));
  EXPECT_TRUE(Compare(table, words, 100, 0).send.empty());
  EXPECT_FALSE(Compare(table, words, 100, 0).lacking);
}

TEST(AntiEntropy, SendsWhatTheOtherLacksAndSeesWhatItLacks) {
  const MemberTable a = TableOf({At(1), At(2), At(70)});
  const MemberTable b = TableOf({At(1), At(130)});
  EXPECT_EQ(DifferenceOf(a, b).send, (Slots{2, 70}));
  EXPECT_TRUE(DifferenceOf(a, b).lacking);
  EXPECT_EQ(DifferenceOf(b, a).send, Slots{130});
  EXPECT_TRUE(DifferenceOf(b, a).lacking);
  EXPECT_TRUE(DifferenceOf(a, a).send.empty());
  EXPECT_FALSE(DifferenceOf(a, a).lacking);
}

TEST(AntiEntropy, TellsWhetherAnotherKnowsOthersOrKnowsThemOtherwise) {
  const MemberTable table = TableOf({At(1), At(70)});
  EXPECT_FALSE(DiffersFrom(table, TableOf({At(1), At(70)})));
  EXPECT_TRUE(DiffersFrom(table, TableOf({At(1)})));
  EXPECT_TRUE(DiffersFrom(table, TableOf({At(1), At(70, 2)})));
  EXPECT_FALSE(Differs(table, Words{1, false, 1, std::array<std::uint8_t, 12>{}}));
  EXPECT_FALSE(Differs(table, Words{0, false, 16, std::array<std::uint8_t, 12>{}}));
}

TEST(AntiEntropy, OfWhoDiedHereTheOtherHears) {
  MemberTable a = TableOf({At(1), At(2)});
  a.SetState(*a.Find(2), MemberState::kDead);
  const MemberTable b = TableOf({At(1), At(2)});
  EXPECT_EQ(DifferenceOf(a, b).send, Slots{2});
  EXPECT_EQ(DifferenceOf(b, a).send, Slots{2});
}

// Else those that boot one after another tell each other of somebody whom all others removed.
TEST(AntiEntropy, WhoIsSuspectedHereIsNotListedToWhoDoesNotKnowIt) {
  MemberTable a = TableOf({At(1), At(2)});
  a.SetState(*a.Find(2), MemberState::kSuspect);
  MemberTable b = TableOf({At(1)});
  EXPECT_TRUE(DifferenceOf(a, b).send.empty());
  b.Add(At(2));
  b.SetState(*b.Find(2), MemberState::kDead);
  EXPECT_TRUE(DifferenceOf(a, b).send.empty());
  EXPECT_TRUE(DifferenceOf(a, b).lacking) << "it asks what became of it";
  EXPECT_EQ(DifferenceOf(b, a).send, Slots{2}) << "it hears that the other removed it";
  a.SetState(*a.Find(2), MemberState::kAlive);
  EXPECT_EQ(DifferenceOf(a, b).send, Slots{2});
}

TEST(AntiEntropy, WhereOneRefutedOnlyItsRecordIsSentByWhoKnows) {
  for (const std::uint32_t later : {2U, 3U, 5U}) {
    const MemberTable heard = TableOf({At(1), At(2), At(3, later), At(4)});
    const MemberTable not_yet = TableOf({At(1), At(2), At(3), At(4)});
    EXPECT_EQ(DifferenceOf(heard, not_yet).send, Slots{3}) << later;
    EXPECT_FALSE(DifferenceOf(heard, not_yet).lacking);
    EXPECT_TRUE(DifferenceOf(not_yet, heard).send.empty());
    EXPECT_TRUE(DifferenceOf(not_yet, heard).lacking);
  }
}

TEST(AntiEntropy, WhereMoreDiffersThanOneIncarnationAllOfTheWordIsSent) {
  const MemberTable a = TableOf({At(1, 2), At(2), At(3), At(70)});
  for (const MemberTable& b :
       {TableOf({At(1), At(2, 2), At(3), At(70)}), TableOf({At(1, 9), At(2), At(3), At(70)}),
        TableOf({At(1, 2), At(2), At(3, 1, 8), At(70)})}) {
    EXPECT_EQ(DifferenceOf(a, b).send, (Slots{1, 2, 3}));
    EXPECT_TRUE(DifferenceOf(a, b).lacking);
  }
}

TEST(AntiEntropy, SendsNoMoreThanTheLimit) {
  const MemberTable a = TableOf({At(1), At(2), At(70)});
  EXPECT_EQ(DifferenceOf(a, TableOf({}), 2).send.size(), 2U);
}

}  // namespace
}  // namespace radix::flock
