#include "services/flock/member_table.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <tuple>

namespace radix::flock {
namespace {

std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::uint64_t HashOf(const Member& member) {
  return Mix(Mix(member.boot + 0x9e3779b97f4a7c15) ^
             (std::uint64_t{member.slot} << 32 | member.incarnation));
}

}  // namespace

bool IsLater(const Record& record, const Member& member) {
  return std::tuple(record.incarnation, record.id.boot, record.state) >
         std::tuple(member.incarnation, member.boot, member.state);
}

MemberTable::MemberTable(std::uint32_t slots)
    : slots_(slots), index_(16), words_((std::size_t{slots} + 63) / 64) {}

std::size_t MemberTable::Home(std::uint32_t slot) const {
  return (slot * 0x9e3779b1U) >> (32 - std::countr_zero(index_.size()));
}

std::size_t MemberTable::Locate(std::uint32_t slot) const {
  const std::size_t mask = index_.size() - 1;
  std::size_t place = Home(slot);
  while (index_[place].member != 0 && index_[place].slot != slot) place = (place + 1) & mask;
  return place;
}

Member* MemberTable::Find(std::uint32_t slot) {
  const std::uint32_t entry = index_[Locate(slot)].member;
  return entry == 0 ? nullptr : &members_[entry - 1];
}

const Member* MemberTable::Find(std::uint32_t slot) const {
  const std::uint32_t entry = index_[Locate(slot)].member;
  return entry == 0 ? nullptr : &members_[entry - 1];
}

Member* MemberTable::Find(const MemberId& id) {
  Member* const member = Find(id.slot);
  return member != nullptr && member->boot == id.boot ? member : nullptr;
}

void MemberTable::Grow() {
  // By a quarter, not double: memory counts more than the copying.
  if (members_.size() == members_.capacity()) {
    members_.reserve(std::max<std::size_t>(16, members_.size() + members_.size() / 4));
  }
  if ((members_.size() + 1) * 4 <= index_.size() * 3) return;
  index_.assign(index_.size() * 2, {});
  for (std::size_t i = 0; i < members_.size(); ++i) {
    index_[Locate(members_[i].slot)] = {members_[i].slot, static_cast<std::uint32_t>(i) + 1};
  }
}

Member& MemberTable::Add(const Record& record) {
  assert(record.id.slot < slots_ && Find(record.id.slot) == nullptr);
  Grow();
  Member member;
  member.boot = record.id.boot;
  member.fingerprint = record.fingerprint;
  member.slot = record.id.slot;
  member.incarnation = record.incarnation;
  member.state = record.state;
  member.next_counter = counter_floor_;
  index_[Locate(record.id.slot)] = {record.id.slot,
                                    static_cast<std::uint32_t>(members_.size()) + 1};
  members_.push_back(member);
  if (IsLive(record.state)) Toggle(member);
  return members_.back();
}

void MemberTable::Toggle(const Member& member) {
  Word& word = words_[member.slot / 64];
  const std::uint64_t bit = std::uint64_t{1} << (member.slot % 64);
  word.live ^= bit;
  word.hash ^= HashOf(member);
  view_hash_ ^= HashOf(member);
  live_count_ += (word.live & bit) != 0 ? 1U : ~0U;
}

void MemberTable::Apply(Member& member, const Record& record) {
  assert(member.slot == record.id.slot);
  if (IsLive(member.state)) Toggle(member);
  if (member.boot != record.id.boot) {
    // The counters towards this slot go on: they are never used twice under one key.
    const std::uint64_t next_counter = member.next_counter;
    member = Member{};
    member.slot = record.id.slot;
    member.next_counter = next_counter;
  }
  member.boot = record.id.boot;
  member.fingerprint = record.fingerprint;
  member.incarnation = record.incarnation;
  member.state = record.state;
  if (IsLive(member.state)) Toggle(member);
}

void MemberTable::SetState(Member& member, MemberState state) {
  Record record = member.record();
  record.state = state;
  Apply(member, record);
}

void MemberTable::Remove(std::uint32_t slot) {
  std::size_t hole = Locate(slot);
  assert(index_[hole].member != 0);
  const std::size_t position = index_[hole].member - std::size_t{1};
  if (IsLive(members_[position].state)) Toggle(members_[position]);
  counter_floor_ = std::max(counter_floor_, members_[position].next_counter);
  const std::size_t mask = index_.size() - 1;
  // Closes the gap in the probe sequence: moves back what probed past it.
  index_[hole] = {};
  for (std::size_t next = (hole + 1) & mask; index_[next].member != 0; next = (next + 1) & mask) {
    const std::size_t home = Home(index_[next].slot);
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      index_[hole] = index_[next];
      index_[next] = {};
      hole = next;
    }
  }
  if (position + 1 != members_.size()) {
    index_[Locate(members_.back().slot)].member = static_cast<std::uint32_t>(position) + 1;
    members_[position] = members_.back();
  }
  members_.pop_back();
}

std::uint64_t MemberTable::TakeCounter(std::uint32_t slot) {
  Member* const member = Find(slot);
  return member == nullptr ? counter_floor_++ : member->next_counter++;
}

std::uint64_t MemberTable::PeekCounter(std::uint32_t slot) const {
  const Member* const member = Find(slot);
  return member == nullptr ? counter_floor_ : member->next_counter;
}

std::size_t MemberTable::memory_bytes() const {
  return members_.capacity() * sizeof(Member) + index_.capacity() * sizeof(index_[0]) +
         words_.capacity() * sizeof(Word);
}

}  // namespace radix::flock
