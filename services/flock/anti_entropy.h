// Comparing two views and finding what to send: digests and differences, each in one datagram.
//
// Slots are taken 64 at a time as words, words 64 at a time as groups. A summary has one hash for
// each group; whoever finds a difference answers with the words of that group (a bitmap of the live
// and a hash, 12 bytes for each 64 slots of which one lives); the other then sends the records that
// are missing there, and its own words, if it saw something that it lacks. In little blocs the
// words are the first question.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/flock/member_table.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

inline constexpr std::uint32_t kWordsPerGroup = 64;
inline constexpr std::size_t kSummaryGroupsMax = 200;
inline constexpr std::size_t kSummaryBytesMax = 4 * kSummaryGroupsMax;
inline constexpr std::size_t kWordsBytesMax = kWordBytes * kWordsPerGroup;

// How many groups the table has.
std::uint32_t GroupCount(const MemberTable& members);

// Writes the hashes of the groups from `first` on, as many as there are and fit.
void EncodeSummary(const MemberTable& members, std::uint16_t first, Writer& out);

// The groups in which the sender of `summary` differs from us.
std::vector<std::uint16_t> DifferingGroups(const MemberTable& members, const Summary& summary);

// Writes the words of `group` in which somebody lives; returns which those are.
std::uint64_t EncodeWords(const MemberTable& members, std::uint16_t group, Writer& out);

// Whether its sender knows others of that group, or knows them otherwise. Not of words of an
// unknown group, or of ones that are none.
bool Differs(const MemberTable& members, const Words& words);

// What follows from another's words.
struct Difference {
  // Slots whose records it lacks, or holds otherwise, or are dead; but no suspects that it lacks.
  std::vector<std::uint32_t> send;
  // It knows some that we lack, or that some are gone whom we suspect.
  bool lacking = false;
};
// Requires: words is what DecodeBody accepts. Words of unknown groups give nothing. At most `limit`
// slots, from `start` (a slot's place within the group) on and around, so that two who answer the
// same node do not send it the same.
Difference Compare(const MemberTable& members, const Words& words, std::size_t limit,
                   std::uint32_t start);

}  // namespace radix::flock
