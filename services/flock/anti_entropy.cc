#include "services/flock/anti_entropy.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

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

// What `words` say of one word: who lives there, and their hash.
std::pair<std::uint64_t, std::uint32_t> WordAt(const Words& words, std::uint32_t at) {
  const std::uint64_t bit = std::uint64_t{1} << at;
  if ((words.present & bit) == 0) return {};
  const auto before = static_cast<std::size_t>(std::popcount(words.present & (bit - 1)));
  Reader in(words.words.subspan(before * kWordBytes, kWordBytes));
  const std::uint64_t live = in.U64();
  return {live, in.U32()};
}

// How many words the group of `words` has here; 0 if there are some that are not here.
std::uint32_t CountOf(const MemberTable& members, const Words& words) {
  const std::uint32_t first = words.group * kWordsPerGroup;
  const std::uint32_t end = WordsEnd(members, words.group);
  if (first >= end || std::cmp_greater(std::bit_width(words.present), end - first)) return 0;
  return end - first;
}

// A member that refuted lately is told of with so many incarnations more or less.
constexpr std::uint32_t kRefutationsMax = 4;

// The one member of `word` whose incarnation alone makes its hash here and `theirs` differ.
struct Refuted {
  std::uint32_t slot = 0;
  bool known = false;  // here; not there yet
};

// Where both list the same slots, that is nearly always so: somebody refuted, and not all have
// heard. It is found by trying, as the hash is the exclusive or of one part for each member.
std::optional<Refuted> FindRefuted(const MemberTable& members, std::uint32_t word,
                                   std::uint32_t theirs) {
  const std::uint32_t difference = members.word_hash(word) ^ theirs;
  std::optional<Refuted> found;
  ForEachBit(members.live_bits(word), word, [&](std::uint32_t slot) {
    if (found) return;
    const Member& member = *members.Find(slot);
    const std::uint32_t wanted =
        MemberTable::PartOfWordHash(member, member.incarnation) ^ difference;
    for (std::uint32_t by = 1; by <= kRefutationsMax; ++by) {
      if (MemberTable::PartOfWordHash(member, member.incarnation + by) == wanted) {
        found = Refuted{slot, false};
      } else if (member.incarnation > by &&
                 MemberTable::PartOfWordHash(member, member.incarnation - by) == wanted) {
        found = Refuted{slot, true};
      }
    }
  });
  return found;
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

std::uint64_t EncodeWords(const MemberTable& members, std::uint16_t group, Writer& out) {
  std::uint64_t present = 0;
  for (std::uint32_t w = group * kWordsPerGroup; w < WordsEnd(members, group); ++w) {
    if (members.live_bits(w) == 0) continue;
    present |= std::uint64_t{1} << w % kWordsPerGroup;
    out.U64(members.live_bits(w));
    out.U32(members.word_hash(w));
  }
  return present;
}

bool Differs(const MemberTable& members, const Words& words) {
  const std::uint32_t count = CountOf(members, words);
  for (std::uint32_t at = 0; at < count; ++at) {
    if (WordAt(words, at).second != members.word_hash(words.group * kWordsPerGroup + at)) {
      return true;
    }
  }
  return false;
}

Difference Compare(const MemberTable& members, const Words& words, std::size_t limit,
                   std::uint32_t start) {
  Difference difference;
  const std::uint32_t first = words.group * kWordsPerGroup;
  const std::uint32_t count = CountOf(members, words);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t at = (i + start / 64) % count;
    const auto [theirs, hash] = WordAt(words, at);
    const std::uint32_t word = first + at;
    if (hash == members.word_hash(word)) continue;
    const std::uint64_t ours = members.live_bits(word);
    const auto send = [&](std::uint32_t slot) {
      if (difference.send.size() < limit) difference.send.push_back(slot);
    };
    if (theirs == ours) {
      const auto refuted = FindRefuted(members, word, hash);
      if (!refuted || !refuted->known) difference.lacking = true;
      if (!refuted) ForEachBit(ours, word, send);
      if (refuted && refuted->known) send(refuted->slot);
      continue;
    }
    // Who does not list a suspect has removed it, and should say so; or need not know it before it
    // refutes, which is news. Else those that boot one after another would list it to each other.
    ForEachBit(ours & ~theirs, word, [&](std::uint32_t slot) {
      if (members.Find(slot)->state == MemberState::kSuspect) {
        difference.lacking = true;
      } else {
        send(slot);
      }
    });
    ForEachBit(theirs & ~ours, word, [&](std::uint32_t slot) {
      if (slot >= members.slots()) return;
      difference.lacking = true;
      if (members.Find(slot) != nullptr) send(slot);  // dead here: it should hear of it
    });
  }
  return difference;
}

}  // namespace radix::flock
