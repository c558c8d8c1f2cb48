#include "services/flock/member_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "services/confab/random.h"

namespace radix::flock {
namespace {

Record RecordOf(std::uint32_t slot, std::uint64_t boot = 7, std::uint32_t incarnation = 1) {
  return {{slot, boot}, incarnation, MemberState::kAlive, slot + 1000};
}

TEST(MemberTableTest, FindsWhatWasAddedThroughAnyMixOfAddingAndRemoving) {
  constexpr std::uint32_t kSlots = 3000;
  MemberTable table(kSlots);
  std::map<std::uint32_t, std::uint64_t> model;
  Random random(1);
  for (int step = 0; step < 20000; ++step) {
    const auto slot = static_cast<std::uint32_t>(random.Below(kSlots));
    if (model.contains(slot)) {
      table.Remove(slot);
      model.erase(slot);
    } else {
      const std::uint64_t boot = random.Next() | 1;
      table.Add(RecordOf(slot, boot));
      model[slot] = boot;
    }
    const auto probe = static_cast<std::uint32_t>(random.Below(kSlots));
    ASSERT_EQ(table.Find(probe) != nullptr, model.contains(probe));
  }
  ASSERT_EQ(table.size(), model.size());
  EXPECT_EQ(table.live_count(), model.size());
  for (const auto& [slot, boot] : model) {
    ASSERT_NE(table.Find(MemberId{slot, boot}), nullptr);
    EXPECT_EQ(table.Find(MemberId{slot, boot + 1}), nullptr);
  }
}

TEST(MemberTableTest, WhatABootSentStaysSeenThroughAnotherOfItsSlot) {
  MemberTable table(100);
  Member& member = table.Add(RecordOf(5, 7));
  const MemberId first = member.id();
  table.Acquaint(member, 40).window.Accept(40);
  table.Open(member).window.Accept(42);
  EXPECT_FALSE(table.WasSeen(first, 40));  // as long as it is in contact, the window says so
  table.Apply(member, RecordOf(5, 8, 2));
  EXPECT_TRUE(table.WasSeen(first, 40));
  EXPECT_FALSE(table.WasSeen(first, 41));
  table.Acquaint(member, 3).window.Accept(3);
  table.Apply(member, RecordOf(5, 7, 3));
  EXPECT_TRUE(table.WasSeen({5, 8}, 3));
  const Contact& again = table.Acquaint(member, 41);
  EXPECT_TRUE(again.window.IsFresh(41));
  EXPECT_FALSE(again.window.IsFresh(40));
  EXPECT_FALSE(again.window.IsFresh(42));
}

TEST(MemberTableTest, EqualViewsHaveEqualDigestsWhateverTheWayThere) {
  MemberTable left(200);
  MemberTable right(200);
  for (std::uint32_t slot = 0; slot < 150; ++slot) left.Add(RecordOf(slot));
  for (std::uint32_t slot = 200; slot > 0; --slot) right.Add(RecordOf(slot - 1));
  EXPECT_NE(left.view_hash(), right.view_hash());
  for (std::uint32_t slot = 150; slot < 175; ++slot) right.Remove(slot);
  for (std::uint32_t slot = 175; slot < 200; ++slot) {
    right.SetState(*right.Find(slot), MemberState::kDead);  // tombstones do not count
  }
  EXPECT_EQ(left.view_hash(), right.view_hash());
  for (std::uint32_t word = 0; word < left.word_count(); ++word) {
    EXPECT_EQ(left.word_hash(word), right.word_hash(word));
    EXPECT_EQ(left.live_bits(word), right.live_bits(word));
  }
  right.Apply(*right.Find(3), RecordOf(3, 7, 2));
  EXPECT_NE(left.view_hash(), right.view_hash());
  left.SetState(*left.Find(3), MemberState::kSuspect);
  left.Apply(*left.Find(3), RecordOf(3, 7, 2));
  EXPECT_EQ(left.view_hash(), right.view_hash());
}

TEST(MemberTableTest, AnotherBootStartsWithoutWindowButGoesOnCounting) {
  MemberTable table(10);
  Member& member = table.Add(RecordOf(4, 7));
  table.Open(member).proven = true;
  table.Open(member).window.Accept(50);
  EXPECT_EQ(table.TakeCounter(4), 1U);
  EXPECT_EQ(table.TakeCounter(4), 2U);
  table.Apply(member, RecordOf(4, 8, 2));
  EXPECT_FALSE(table.ContactOf(member).proven);
  EXPECT_TRUE(table.ContactOf(member).window.IsFresh(50));
  EXPECT_EQ(table.TakeCounter(4), 3U);
}

TEST(MemberTableTest, NeverGivesACounterTwiceForOneSlot) {
  MemberTable table(10);
  table.Add(RecordOf(4));
  for (int i = 0; i < 5; ++i) table.TakeCounter(4);
  table.Remove(4);
  const std::uint64_t unknown = table.TakeCounter(4);
  EXPECT_GT(unknown, 5U);
  table.Add(RecordOf(4));
  EXPECT_GT(table.TakeCounter(4), unknown);
}

TEST(MemberTableTest, LaterIsATotalOrder) {
  std::vector<Record> records;
  for (const std::uint32_t incarnation : {1U, 2U}) {
    for (const std::uint64_t boot : {7ULL, 9ULL}) {
      for (const auto state : {MemberState::kAlive, MemberState::kSuspect, MemberState::kDead}) {
        Record record = RecordOf(1, boot, incarnation);
        record.state = state;
        records.push_back(record);
      }
    }
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    MemberTable table(10);
    const Member& member = table.Add(records[i]);
    for (std::size_t j = 0; j < records.size(); ++j) EXPECT_EQ(IsLater(records[j], member), j > i);
  }
}

TEST(MemberTableTest, ContactsStayWithTheirMembersThroughAnyMixOfAddingAndRemoving) {
  constexpr std::uint32_t kSlots = 300;
  MemberTable table(kSlots);
  std::map<std::uint32_t, std::uint32_t> model;  // ring acknowledged, by slot; 0: no contact
  Random random(2);
  for (int step = 0; step < 20000; ++step) {
    const auto slot = static_cast<std::uint32_t>(random.Below(kSlots));
    Member* const member = table.Find(slot);
    if (member == nullptr) {
      table.Add(RecordOf(slot));
      model[slot] = 0;
    } else if (random.Chance(0.3)) {
      table.Remove(slot);
      model.erase(slot);
    } else if (random.Chance(0.3)) {
      table.Apply(*member, RecordOf(slot, random.Next() | 1, 2));
      model[slot] = 0;
    } else {
      table.Open(*member).ring_ack = model[slot] = static_cast<std::uint32_t>(step + 1);
    }
    const auto probe = static_cast<std::uint32_t>(random.Below(kSlots));
    if (const Member* const found = table.Find(probe)) {
      ASSERT_EQ(table.ContactOf(*found).ring_ack, model[probe]);
      ASSERT_EQ(found->contact != 0, model[probe] != 0);
    }
  }
}

TEST(MemberTableTest, HoldsAMemberInLessThan60BytesAndAContactInLessThan80More) {
  for (const std::uint32_t count : {1000U, 1025U, 3000U, 10000U}) {
    MemberTable table(count * 2);
    for (std::uint32_t i = 0; i < count; ++i) table.Add(RecordOf(i * 2));
    EXPECT_LE(table.memory_bytes() / count, 60U) << count;
    for (std::uint32_t i = 0; i < count; ++i) table.Open(*table.Find(i * 2));
    EXPECT_LE(table.memory_bytes() / count, 140U) << count;
  }
}

}  // namespace
}  // namespace radix::flock
