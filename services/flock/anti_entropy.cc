#include "services/flock/anti_entropy.h"

#include <algorithm>
#include <bit>

namespace radix::flock {
namespace {

std::uint32_t WordsEnd(const MemberTable& members, std::uint32_t group) {
  return std::min(members.word_count(), (group + 1) * kWordsPerGroup);
}

std::uint32_t GroupHash(const MemberTable& members, std::uint32_t group) {
  std::uint32_t hash = 0;
  for (std::uint32_t w = group * kWordsPerGroup; w < WordsEnd(members, group); ++w) {
    hash ^= members.word_hash(w);
  }
  return hash;
}

template <typename Visit>
void ForEachBit(std::uint64_t bits, std::uint32_t word, const Visit& visit) {
  for (; bits != 0; bits &= bits - 1) {
    visit(word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
  }
}

}  // namespace

std::uint32_t GroupCount(const MemberTable& members) {
  return (members.word_count() + kWordsPerGroup - 1) / kWordsPerGroup;
}

void EncodeSummary(const MemberTable& members, std::uint16_t first, Writer& out) {
  const std::uint32_t end =
      std::min<std::uint32_t>(GroupCount(members), first + std::uint32_t{kSummaryGroupsMax});
  for (std::uint32_t group = first; group < end; ++group) out.U32(GroupHash(members, group));
}

std::vector<std::uint16_t> DifferingGroups(const MemberTable& members, const Summary& summary) {
  std::vector<std::uint16_t> differing;
  Reader in(summary.hashes);
  for (std::uint32_t group = summary.first_group; in.left() > 0; ++group) {
    const std::uint32_t theirs = in.U32();
    if (group >= GroupCount(members)) break;
    if (theirs != GroupHash(members, group)) {
      differing.push_back(static_cast<std::uint16_t>(group));
    }
  }
  return differing;
}

void EncodeWords(const MemberTable& members, std::uint16_t group, Writer& out) {
  for (std::uint32_t w = group * kWordsPerGroup; w < WordsEnd(members, group); ++w) {
    out.U64(members.live_bits(w));
    out.U32(members.word_hash(w));
  }
}

Difference Compare(const MemberTable& members, const Words& words, std::size_t limit,
                   std::uint32_t start) {
  Difference difference;
  const std::uint32_t first = words.group * kWordsPerGroup;
  const std::uint32_t end = WordsEnd(members, words.group);
  const auto count = static_cast<std::uint32_t>(words.words.size() / 12);
  if (first >= end || count != end - first) return difference;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t at = (i + start / 64) % count;
    Reader in(words.words.subspan(std::size_t{at} * 12, 12));
    const std::uint64_t theirs = in.U64();
    const std::uint32_t hash = in.U32();
    const std::uint32_t word = first + at;
    if (hash == members.word_hash(word)) continue;
    const std::uint64_t ours = members.live_bits(word);
    const auto send = [&](std::uint32_t slot) {
      if (difference.send.size() < limit) difference.send.push_back(slot);
    };
    // Where both list the same slots, some record differs: all are sent.
    ForEachBit(theirs == ours ? ours : ours & ~theirs, word, send);
    if (theirs == ours) difference.lacking = true;
    ForEachBit(theirs & ~ours, word, [&](std::uint32_t slot) {
      if (slot >= members.slots()) return;
      difference.lacking = true;
      if (members.Find(slot) != nullptr) send(slot);  // dead here: it should hear of it
    });
  }
  return difference;
}

}  // namespace radix::flock
