// Who has a vote, where more nodes may come than the charter allows.
//
// A quorum is more than half of the charter's `at_most`. Of more nodes than that, two quorums might
// have nobody in common. So the first leader that holds `at_most` leases lists who granted them,
// and from then on nobody else's lease counts: the newest are turned away, whoever leads later.
// Lists may change. Four rules see to it that no two of them that are in use have quorums without a
// common voter:
//   1. A member grants nothing to a candidate whose list is less than its own, but tells it its
//   own.
//   2. Only a sealed leader makes a list, with at most `at_most` slots.
//   3. A change adds slots or drops some, never both. Only the slots of those drop out who are
//      gone, and only when others wait.
//   4. A list is changed only when a quorum of its voters granted leases knowing it, and only by
//      the leader under whose epoch it was made; another one first makes it anew.
//
// Source: Ongaro, "Consensus: Bridging Theory and Practice", 2014, chapter 4, and the flaw of its
// changes of one server that rule 4 repairs (raft-dev, 2015). Here the quorum's size is fixed, so
// that several may be added, or dropped, at once.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

// The list as one node knows it. It is in memory only: a node that boots knows none until it is
// told. Not thread-safe.
class Electorate {
 public:
  // Of slots [0, slots). `charter_digest` keeps lists of other charters out.
  Electorate(std::uint32_t slots, std::uint32_t at_most, std::uint64_t charter_digest);

  // Whether there can be a list: not where the charter allows every slot a node.
  bool is_limited() const { return at_most_ < slots_; }
  bool is_known() const { return version_.epoch != 0; }
  const ElectorateVersion& version() const { return version_; }
  // Slots on the list; 0 without one.
  std::uint32_t count() const { return count_; }
  // Whether the lease of `slot` counts: everybody's does while there is no list.
  bool HasVote(std::uint32_t slot) const {
    return !is_known() || (votes_[slot / 64] >> (slot % 64) & 1) != 0;
  }

  // What a sealed leader knows when it thinks about its list.
  struct Standing {
    std::uint64_t epoch = 0;                     // its own
    std::uint32_t self = 0;                      // its slot, which is always on the list
    std::vector<std::uint32_t> granting;         // slots whose leases run
    std::vector<std::uint32_t> waiting;          // slots of live members without a vote
    bool acknowledged = false;                   // a quorum of voters granted knowing this list
    std::function<bool(std::uint32_t)> is_gone;  // a voter's slot, with neither member nor lease
    bool outdated = false;  // somebody who has a vote follows nobody by a list so old, or none
  };
  enum class Revision : std::uint8_t {
    kNone,
    kMade,  // there is another list now
    kFull,  // some wait, and there is no place for them: raise the alarm
  };
  // Makes the list that follows, one step at a time.
  Revision Revise(const Standing& standing);

  // A list travels in parts. Writes the first one from number `from` on, and returns the number
  // after it. Requires: is_known().
  std::uint32_t EncodePart(std::uint32_t from, Writer& out) const;
  // How many there are.
  std::uint32_t part_count() const;
  // What the word of a member counts.
  enum class Word : std::uint8_t {
    kNothing,
    kOneOfTwo,  // when another, whose word counts as much, has said the same
    kEnough,
  };
  // Takes in a part of a list that `from` knows. Returns true if that is greater than ours, and now
  // complete and in use. What is malformed changes nothing.
  bool HandlePart(const MemberId& from, Word word, std::span<const std::uint8_t> encoded,
                  Instant now);
  // Of the list of a part; {} if it is malformed.
  static ElectorateVersion VersionOf(std::span<const std::uint8_t> encoded);
  // Forgets the list: it is worth nothing where two blocs have one each.
  void Forget();
  // Whether none is known, and somebody said lately that there is one. Who says so may lie; but if
  // it does not, another may lead by that list already.
  bool IsContested(Instant now) const;
  // A sealed leader, which has this node's lease, knows of none. So there was none, and a member
  // that speaks of one alone is not heeded any more.
  void HearOfNone() { there_was_none_ = true; }
  static constexpr std::size_t kWordsPerPart = 128;
  static constexpr std::size_t kPartSizeMax = 8 + 12 + 4 + 4 + 8 * kWordsPerPart;

 private:
  void Add(std::uint32_t slot);
  bool IsEmptyPart(std::uint32_t part) const;
  std::vector<std::uint32_t> Gone(const Standing& standing) const;
  std::size_t word_count() const { return (std::size_t{slots_} + 63) / 64; }

  std::uint32_t slots_;
  std::uint32_t at_most_;
  std::uint64_t charter_digest_;
  ElectorateVersion version_;
  std::uint32_t count_ = 0;
  std::vector<std::uint64_t> votes_;  // bit i of word w: slot 64 * w + i; empty without a list

  // A greater list, as one member knows it.
  struct Coming {
    MemberId from;
    ElectorateVersion version;
    std::vector<std::uint64_t> votes;  // of the parts that have come
    bool complete = false;
    Instant heard_at{};
  };
  // From so many members at a time: two that agree are enough.
  static constexpr std::size_t kComingMax = 4;

  // Who knows a list tells it to who lacks it with each request, and each answer to one.
  static constexpr Duration kContested{30s};

  Coming& ComingFrom(const MemberId& from, const ElectorateVersion& version);
  bool IsConfirmed(const Coming& coming) const;

  std::vector<Coming> coming_;  // oldest first
  bool there_was_none_ = false;
};

}  // namespace radix::flock
