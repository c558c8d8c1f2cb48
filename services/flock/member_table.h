// Everybody known, compactly: about 100 bytes a member, replay window included.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/member.h"
#include "services/flock/packet_codec.h"
#include "services/flock/replay_window.h"

namespace radix::flock {

// Before anything that happens; far enough from the limits that differences do not overflow.
inline constexpr Instant kNever{Duration(std::numeric_limits<Duration::rep>::min() / 4)};

// What is known of one member. The first seven fields change only through MemberTable.
struct Member {
  std::uint64_t boot = 0;
  std::uint64_t fingerprint = 0;
  std::uint32_t slot = 0;
  std::uint32_t incarnation = 0;
  MemberState state = MemberState::kAlive;

  // It echoed a nonce of ours, so that its window is right: it is heard, not only heard of.
  bool proven = false;
  std::uint8_t beat_flags = 0;  // as last heard
  std::uint32_t ring_tag = 0;   // the transient key that it uses, as last heard
  std::uint32_t ring_ack = 0;   // the ring that it acknowledged to us
  ReplayWindow window;          // of its counters
  std::uint64_t proven_at = 0;  // the counter with which it proved itself
  std::uint64_t next_counter = 1;
  Instant heard_at = kNever;     // its last authenticated datagram; of the dead: when they died
  Instant hears_us_at = kNever;  // when it last reported hearing us

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
// References stay valid until the next Add or Remove.
class MemberTable {
 public:
  // For slots [0, slots).
  explicit MemberTable(std::uint32_t slots);

  Member* Find(std::uint32_t slot);
  const Member* Find(std::uint32_t slot) const;
  // Only if it is this very boot.
  Member* Find(const MemberId& id);

  // Requires: the slot is not known, and in range.
  Member& Add(const Record& record);
  // Takes over identity, incarnation and state. Another boot starts with no window and no contact.
  void Apply(Member& member, const Record& record);
  void SetState(Member& member, MemberState state);
  void Remove(std::uint32_t slot);

  // The counter for the next datagram to `slot`, known or not. Never the same twice for one slot,
  // also when its member was forgotten in between.
  std::uint64_t TakeCounter(std::uint32_t slot);
  // What TakeCounter would give.
  std::uint64_t PeekCounter(std::uint32_t slot) const;

  // All, in no order that means anything; the same in each run.
  std::size_t size() const { return members_.size(); }
  Member& at(std::size_t index) { return members_[index]; }
  const Member& at(std::size_t index) const { return members_[index]; }

  std::uint32_t slots() const { return slots_; }
  std::uint32_t live_count() const { return live_count_; }
  std::uint64_t view_hash() const { return view_hash_; }

  // A word is 64 consecutive slots: who is live there (bit i: slot 64 * word + i), and a hash.
  std::uint32_t word_count() const { return static_cast<std::uint32_t>(words_.size()); }
  std::uint64_t live_bits(std::uint32_t word) const { return words_[word].live; }
  std::uint32_t word_hash(std::uint32_t word) const {
    return static_cast<std::uint32_t>(words_[word].hash);
  }

  std::size_t memory_bytes() const;

 private:
  struct Place {
    std::uint32_t slot = 0;
    std::uint32_t member = 0;  // its place in members_, plus one; 0: free
  };
  struct Word {
    std::uint64_t live = 0;
    std::uint64_t hash = 0;
  };

  void Toggle(const Member& member);  // enters a live member into the digests, or takes it out
  void Grow();
  std::size_t Locate(std::uint32_t slot) const;
  std::size_t Home(std::uint32_t slot) const;

  std::uint32_t slots_;
  std::vector<Member> members_;
  std::vector<Place> index_;  // open addressing by slot
  std::vector<Word> words_;
  std::uint32_t live_count_ = 0;
  std::uint64_t view_hash_ = 0;
  std::uint64_t counter_floor_ = 1;  // above every counter used for a slot that is not known now
};

}  // namespace radix::flock
