// Everybody known, compactly: about 50 bytes a member, and 64 more for each that was heard itself.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/flock/contact.h"
#include "services/flock/member.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

// What is known of one member by whatever way. All fields change only through MemberTable.
struct Member {
  std::uint64_t boot = 0;
  std::uint64_t fingerprint = 0;
  std::uint32_t slot = 0;
  std::uint32_t incarnation = 0;
  std::uint32_t contact =
      0;  // its place among the contacts, plus one; 0: it was never heard itself
  MemberState state = MemberState::kAlive;
  // Seconds until its word about others counts, since it was there all the time and nobody with a
  // name doubted it. Who does not exist does not live to see it.
  std::uint8_t unsettled_s = kUnsettled_s;

  static constexpr std::uint8_t kUnsettled_s = 3;

  MemberId id() const { return {slot, boot}; }
  Record record() const { return {id(), incarnation, state, fingerprint}; }
};

// Whether `record` says something later about its slot than `member` does: a greater incarnation;
// at equal ones a greater boot nonce; at equal ones a later state. A total order, so that views
// converge in whatever order records arrive.
bool IsLater(const Record& record, const Member& member);

// The members by slot, this node included, with the digests that anti-entropy compares. The digests
// cover the live members only (suspects count as live), so that tombstones may be forgotten at
// different times.
//
// References to members stay valid until the next Add or Remove, those to contacts until the next
// Open, Remove, or Apply of another boot.
class MemberTable {
 public:
  // For slots [0, slots). There is room for `expected` members from the beginning; it is used only
  // when they come.
  explicit MemberTable(std::uint32_t slots, std::uint32_t expected = 0);

  Member* Find(std::uint32_t slot);
  const Member* Find(std::uint32_t slot) const;
  // Only if it is this very boot.
  Member* Find(const MemberId& id);

  // For who looks up many slots: the first of all of them, then the second of all, and the lookups
  // wait for memory once, not each for itself. That of ten thousand nodes in a simulation fits into
  // no cache.
  void PrefetchIndex(std::uint32_t slot) const {
    __builtin_prefetch(&index_[HomeOf(SlotHash(slot))]);
  }
  void PrefetchMember(std::uint32_t slot) const {
    const std::uint32_t entry = index_[Guess(slot)];
    if (entry != 0) __builtin_prefetch(&members_[(entry & kPlaceMask) - 1]);
  }

  // Requires: the slot is not known, and in range.
  Member& Add(const Record& record);
  // Takes over identity, incarnation and state. Another boot starts without contact.
  void Apply(Member& member, const Record& record);
  void SetState(Member& member, MemberState state);
  // It showed that this is its key.
  void SetFingerprint(Member& member, std::uint64_t fingerprint);
  void Remove(std::uint32_t slot);

  // What direct contact with `member` taught; if there was none, a contact that was never heard.
  const Contact& ContactOf(const Member& member) const {
    return member.contact == 0 ? kNoContact : contacts_[member.contact - 1];
  }
  // The same, to be changed; begins the contact if there was none.
  Contact& Open(Member& member);
  // `member` showed by the datagram of that counter, or from it on, that it is there now. Its
  // replay window begins; or goes on, if it was there before another boot of its slot was believed.
  Contact& Acquaint(Member& member, std::uint64_t counter);
  // Whether a boot that is out of contact sent that counter before then.
  bool WasSeen(const MemberId& id, std::uint64_t counter) const;
  // Whether this very boot proved itself.
  bool IsProven(const MemberId& id) const;

  // All that were heard themselves, in no order that means anything; the same in each run.
  std::size_t contact_count() const { return contacts_.size(); }
  const Contact& contact_at(std::size_t index) const { return contacts_[index]; }

  // The counter for the next datagram to `slot`, known or not. Never the same twice for one slot,
  // also when its member was forgotten in between.
  std::uint64_t TakeCounter(std::uint32_t slot);

  // All, in no order that means anything; the same in each run.
  std::size_t size() const { return members_.size(); }
  Member& at(std::size_t index) { return members_[index]; }
  const Member& at(std::size_t index) const { return members_[index]; }

  std::uint32_t slots() const { return slots_; }
  std::uint32_t live_count() const { return live_count_; }
  std::uint64_t view_hash() const { return view_hash_; }
  // How often anything but an addition at the end, or a death, happened: somebody was removed, came
  // back, or was replaced by another boot.
  std::uint64_t upheavals() const { return upheavals_; }

  // A word is 64 consecutive slots: who is live there (bit i: slot 64 * word + i), and a hash.
  std::uint32_t word_count() const { return static_cast<std::uint32_t>(words_.size()); }
  std::uint64_t live_bits(std::uint32_t word) const { return words_[word].live; }
  std::uint32_t word_hash(std::uint32_t word) const {
    return static_cast<std::uint32_t>(words_[word].hash);
  }
  // What `member` adds to its word's hash, by exclusive or, if it lives under `incarnation`.
  static std::uint32_t PartOfWordHash(const Member& member, std::uint32_t incarnation);
  // What a live `member` adds to the view's hash, likewise.
  static std::uint64_t PartOfViewHash(const Member& member);

  std::size_t memory_bytes() const;

 private:
  // An entry of the index: the place in members_, plus one, and some bits of the slot's hash, so
  // that a look at another member is seldom needed. 0: free.
  static constexpr std::uint32_t kPlaceBits = 20;
  static constexpr std::uint32_t kPlaceMask = (1U << kPlaceBits) - 1;
  static constexpr Contact kNoContact{};

  struct Word {
    std::uint64_t live = 0;
    std::uint64_t hash = 0;
  };
  // What a boot proves itself with holds for 20 s, so that it may do so again by a late copy of
  // that. Where more than this many are replaced within that time, the oldest are forgotten.
  static constexpr std::size_t kClosedMax = 1024;
  struct Closed {
    MemberId id;
    ReplayWindow window;
    PairReplayWindow pair_window;
  };

  void Toggle(const Member& member);  // enters a live member into the digests, or takes it out
  void Grow();
  void Enter(std::uint32_t slot, std::size_t position);  // into the index
  void Close(Member& member);                            // ends its contact, if there is one
  std::size_t Locate(std::uint32_t slot) const;
  // The same, but for one in some thousand, without a look at the members: from `place` on, or from
  // where the slot's hash belongs.
  std::size_t Guess(std::uint32_t slot) const { return Guess(slot, HomeOf(SlotHash(slot))); }
  std::size_t Guess(std::uint32_t slot, std::size_t place) const;
  static std::uint32_t SlotHash(std::uint32_t slot) { return slot * 0x9e3779b1U; }
  std::size_t HomeOf(std::uint32_t hash) const {
    return hash >> (32 - std::countr_zero(index_.size()));
  }

  std::uint32_t slots_;
  std::vector<Member> members_;
  std::vector<Contact> contacts_;
  std::vector<Closed> closed_;        // oldest first
  std::vector<std::uint32_t> index_;  // open addressing by slot
  std::vector<Word> words_;
  std::uint32_t live_count_ = 0;
  std::uint64_t view_hash_ = 0;
  std::uint64_t upheavals_ = 0;
  std::uint64_t counter_floor_ = 1;  // above every counter used for a slot without contact
};

}  // namespace radix::flock
