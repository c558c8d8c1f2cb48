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

std::uint64_t HashOf(const Member& member, std::uint32_t incarnation) {
  // With the identity: where two were told different ones, anti-entropy finds it.
  return Mix(Mix((member.boot + 0x9e3779b97f4a7c15) ^ member.fingerprint) ^
             (std::uint64_t{member.slot} << 32 | incarnation));
}

}  // namespace

bool IsLater(const Record& record, const Member& member) {
  return std::tuple(record.incarnation, record.id.boot, record.state) >
         std::tuple(member.incarnation, member.boot, member.state);
}

MemberTable::MemberTable(std::uint32_t slots, std::uint32_t expected)
    : slots_(slots), index_(16), words_((std::size_t{slots} + 63) / 64) {
  // More than this would be much memory for nothing, if they do not come.
  constexpr std::uint32_t kReserveMax = 1U << 14;
  members_.reserve(std::min({slots, expected, kReserveMax}));
}

std::size_t MemberTable::Guess(std::uint32_t slot, std::size_t place) const {
  const std::size_t mask = index_.size() - 1;
  const std::uint32_t hash = SlotHash(slot) << kPlaceBits;
  while (index_[place] != 0 && (index_[place] ^ hash) >> kPlaceBits != 0)
    place = (place + 1) & mask;
  return place;
}

std::size_t MemberTable::Locate(std::uint32_t slot) const {
  const std::size_t mask = index_.size() - 1;
  std::size_t place = Guess(slot);
  while (index_[place] != 0 && members_[(index_[place] & kPlaceMask) - 1].slot != slot) {
    place = Guess(slot, (place + 1) & mask);
  }
  return place;
}

Member* MemberTable::Find(std::uint32_t slot) {
  const std::uint32_t entry = index_[Locate(slot)];
  return entry == 0 ? nullptr : &members_[(entry & kPlaceMask) - 1];
}

const Member* MemberTable::Find(std::uint32_t slot) const {
  const std::uint32_t entry = index_[Locate(slot)];
  return entry == 0 ? nullptr : &members_[(entry & kPlaceMask) - 1];
}

Member* MemberTable::Find(const MemberId& id) {
  Member* const member = Find(id.slot);
  return member != nullptr && member->boot == id.boot ? member : nullptr;
}

bool MemberTable::IsProven(const MemberId& id) const {
  const Member* const member = Find(id.slot);
  return member != nullptr && member->boot == id.boot && ContactOf(*member).proven;
}

void MemberTable::Grow() {
  assert(members_.size() < kPlaceMask);
  // By a quarter, not double: memory counts more than the copying.
  if (members_.size() == members_.capacity()) {
    members_.reserve(std::max<std::size_t>(16, members_.size() + members_.size() / 4));
  }
  if ((members_.size() + 1) * 4 <= index_.size() * 3) return;
  index_.assign(index_.size() * 2, 0);
  for (std::size_t i = 0; i < members_.size(); ++i) Enter(members_[i].slot, i);
}

void MemberTable::Enter(std::uint32_t slot, std::size_t position) {
  index_[Locate(slot)] = SlotHash(slot) << kPlaceBits | (static_cast<std::uint32_t>(position) + 1);
}

Member& MemberTable::Add(const Record& record) {
  assert(record.id.slot < slots_ && Find(record.id.slot) == nullptr);
  Grow();
  Enter(record.id.slot, members_.size());
  members_.push_back(
      {record.id.boot, record.fingerprint, record.id.slot, record.incarnation, 0, record.state});
  if (IsLive(record.state)) Toggle(members_.back());
  return members_.back();
}

Contact& MemberTable::Open(Member& member) {
  if (member.contact == 0) {
    if (contacts_.size() == contacts_.capacity()) {
      contacts_.reserve(std::max<std::size_t>(16, contacts_.size() + contacts_.size() / 4));
    }
    contacts_.emplace_back();
    contacts_.back().slot = member.slot;
    // Above all that was used towards it before.
    contacts_.back().next_counter = counter_floor_;
    member.contact = static_cast<std::uint32_t>(contacts_.size());
  }
  return contacts_[member.contact - 1];
}

Contact& MemberTable::Acquaint(Member& member, std::uint64_t counter) {
  Contact& contact = Open(member);
  contact.proven = true;
  const auto before = std::ranges::find(closed_, member.id(), &Closed::id);
  if (before == closed_.end()) {
    contact.window.StartAt(counter);
  } else {
    contact.window = before->window;
    contact.window.ResumeAt(counter);
    contact.pair_window = before->pair_window;
    closed_.erase(before);
  }
  contact.pair_window.StartAt(counter);
  return contact;
}

bool MemberTable::WasSeen(const MemberId& id, std::uint64_t counter) const {
  const auto before = std::ranges::find(closed_, id, &Closed::id);
  return before != closed_.end() && !before->window.IsFresh(counter);
}

void MemberTable::Close(Member& member) {
  if (member.contact == 0) return;
  Contact& contact = contacts_[member.contact - 1];
  counter_floor_ = std::max(counter_floor_, contact.next_counter);
  if (contact.proven) {
    if (closed_.size() == kClosedMax) closed_.erase(closed_.begin());
    closed_.push_back({member.id(), contact.window, contact.pair_window});
  }
  if (contact.slot != contacts_.back().slot) {
    contact = contacts_.back();
    Find(contact.slot)->contact = member.contact;
  }
  contacts_.pop_back();
  member.contact = 0;
}

void MemberTable::Toggle(const Member& member) {
  Word& word = words_[member.slot / 64];
  const std::uint64_t bit = std::uint64_t{1} << (member.slot % 64);
  word.live ^= bit;
  const std::uint64_t hash = HashOf(member, member.incarnation);
  word.hash ^= hash;
  view_hash_ ^= hash;
  live_count_ += (word.live & bit) != 0 ? 1U : ~0U;
}

std::uint32_t MemberTable::PartOfWordHash(const Member& member, std::uint32_t incarnation) {
  return static_cast<std::uint32_t>(HashOf(member, incarnation));
}

std::uint64_t MemberTable::PartOfViewHash(const Member& member) {
  return HashOf(member, member.incarnation);
}

void MemberTable::Apply(Member& member, const Record& record) {
  assert(member.slot == record.id.slot);
  if (IsLive(member.state)) Toggle(member);
  if (member.boot != record.id.boot) Close(member);
  if (member.boot != record.id.boot || (!IsLive(member.state) && IsLive(record.state))) {
    ++upheavals_;
    member.unsettled_s = Member::kUnsettled_s;
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

void MemberTable::SetFingerprint(Member& member, std::uint64_t fingerprint) {
  Record record = member.record();
  record.fingerprint = fingerprint;
  Apply(member, record);
}

void MemberTable::Remove(std::uint32_t slot) {
  std::size_t hole = Locate(slot);
  assert(index_[hole] != 0);
  const std::size_t position = (index_[hole] & kPlaceMask) - std::size_t{1};
  if (IsLive(members_[position].state)) Toggle(members_[position]);
  Close(members_[position]);
  ++upheavals_;
  const std::size_t mask = index_.size() - 1;
  // Closes the gap in the probe sequence: moves back what probed past it.
  index_[hole] = 0;
  for (std::size_t next = (hole + 1) & mask; index_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = HomeOf(SlotHash(members_[(index_[next] & kPlaceMask) - 1].slot));
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      index_[hole] = index_[next];
      index_[next] = 0;
      hole = next;
    }
  }
  if (position + 1 != members_.size()) {
    const std::size_t last = Locate(members_.back().slot);
    members_[position] = members_.back();
    index_[last] = (index_[last] & ~kPlaceMask) | (static_cast<std::uint32_t>(position) + 1);
  }
  members_.pop_back();
}

std::uint64_t MemberTable::TakeCounter(std::uint32_t slot) {
  const Member* const member = Find(slot);
  if (member == nullptr || member->contact == 0) return counter_floor_++;
  return contacts_[member->contact - 1].next_counter++;
}

std::size_t MemberTable::memory_bytes() const {
  return members_.capacity() * sizeof(Member) + contacts_.capacity() * sizeof(Contact) +
         closed_.capacity() * sizeof(Closed) + index_.capacity() * sizeof(index_[0]) +
         words_.capacity() * sizeof(Word);
}

}  // namespace radix::flock
