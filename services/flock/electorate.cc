#include "services/flock/electorate.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

std::uint32_t CountVotes(const std::vector<std::uint64_t>& votes) {
  std::uint32_t count = 0;
  for (const std::uint64_t word : votes) count += static_cast<std::uint32_t>(std::popcount(word));
  return count;
}

}  // namespace

Electorate::Electorate(std::uint32_t slots, std::uint32_t at_most, std::uint64_t charter_digest)
    : slots_(slots), at_most_(at_most), charter_digest_(charter_digest) {}

void Electorate::Add(std::uint32_t slot) {
  std::uint64_t& word = votes_[slot / 64];
  const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
  if ((word & bit) != 0 || count_ == at_most_) return;
  word |= bit;
  ++count_;
}

std::vector<std::uint32_t> Electorate::Gone(const Standing& standing) const {
  std::vector<std::uint32_t> gone;
  for (std::uint32_t w = 0; w < votes_.size(); ++w) {
    for (std::uint64_t bits = votes_[w]; bits != 0; bits &= bits - 1) {
      const std::uint32_t slot = w * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      if (slot != standing.self && standing.is_gone(slot)) gone.push_back(slot);
    }
  }
  return gone;
}

Electorate::Revision Electorate::Revise(const Standing& standing) {
  if (!is_limited() || IsBroken(Rule::kNewestHaveNoVote)) return Revision::kNone;
  if (!is_known()) {
    if (standing.granting.size() < at_most_ && !standing.outdated) return Revision::kNone;
    version_ = {standing.epoch, 1};
    votes_.assign(word_count(), 0);
    Add(standing.self);
    for (const std::uint32_t slot : standing.granting) Add(slot);
    return Revision::kMade;
  }
  if (standing.waiting.empty() && !standing.outdated) return Revision::kNone;
  if (version_.epoch != standing.epoch) {
    version_ = {standing.epoch, 1};
    return Revision::kMade;
  }
  if (standing.waiting.empty()) return Revision::kNone;
  if (!standing.acknowledged && !IsBroken(Rule::kListIsKnownBeforeTheNext)) return Revision::kNone;
  if (count_ < at_most_) {
    for (const std::uint32_t slot : standing.waiting) Add(slot);
  } else {
    std::vector<std::uint32_t> gone = Gone(standing);
    if (gone.empty()) return Revision::kFull;
    gone.resize(std::min(gone.size(), standing.waiting.size()));
    for (const std::uint32_t slot : gone) votes_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    count_ -= static_cast<std::uint32_t>(gone.size());
  }
  ++version_.serial;
  return Revision::kMade;
}

std::uint32_t Electorate::part_count() const {
  return static_cast<std::uint32_t>((votes_.size() + kWordsPerPart - 1) / kWordsPerPart);
}

bool Electorate::IsEmptyPart(std::uint32_t part) const {
  const auto first = votes_.begin() + static_cast<std::ptrdiff_t>(part * kWordsPerPart);
  const auto end = part + 1 == part_count() ? votes_.end() : first + kWordsPerPart;
  return std::all_of(first, end, [](std::uint64_t word) { return word == 0; });
}

std::uint32_t Electorate::EncodePart(std::uint32_t from, Writer& out) const {
  std::uint32_t part = from % part_count();
  while (IsEmptyPart(part)) part = (part + 1) % part_count();
  out.U64(charter_digest_);
  out.U64(version_.epoch);
  out.U32(version_.serial);
  out.U32(count_);
  const std::size_t first = std::size_t{part} * kWordsPerPart;
  std::size_t end = std::min(first + kWordsPerPart, votes_.size());
  while (end > first && votes_[end - 1] == 0) --end;
  out.U32(static_cast<std::uint32_t>(first));
  for (std::size_t w = first; w < end; ++w) out.U64(votes_[w]);
  return part + 1;
}

void Electorate::Forget() {
  version_ = {};
  count_ = 0;
  votes_.clear();
  coming_.clear();
}

ElectorateVersion Electorate::VersionOf(std::span<const std::uint8_t> encoded) {
  Reader in(encoded);
  in.U64();
  ElectorateVersion version;
  version.epoch = in.U64();
  version.serial = in.U32();
  return in.ok() ? version : ElectorateVersion{};
}

Electorate::Coming& Electorate::ComingFrom(const MemberId& from, const ElectorateVersion& version) {
  const auto known = std::ranges::find(coming_, from, &Coming::from);
  if (known != coming_.end()) {
    if (known->version < version) *known = Coming{from, version, {}};
    return *known;
  }
  if (coming_.size() == kComingMax) coming_.erase(coming_.begin());
  return coming_.emplace_back(Coming{from, version, {}});
}

bool Electorate::IsConfirmed(const Coming& coming) const {
  return at_most_ == 1 || std::ranges::any_of(coming_, [&](const Coming& other) {
           return other.complete && other.from.slot != coming.from.slot &&
                  other.version == coming.version && other.votes == coming.votes;
         });
}

bool Electorate::IsContested(Instant now) const {
  return !is_known() && !there_was_none_ &&
         std::ranges::any_of(
             coming_, [now](const Coming& coming) { return now - coming.heard_at < kContested; });
}

bool Electorate::HandlePart(const MemberId& from, Word word, std::span<const std::uint8_t> encoded,
                            Instant now) {
  if (word == Word::kNothing) return false;
  Reader in(encoded);
  const std::uint64_t digest = in.U64();
  ElectorateVersion version;
  version.epoch = in.U64();
  version.serial = in.U32();
  const std::uint32_t count = in.U32();
  const std::size_t first = in.U32();
  const std::size_t words = in.left() / 8;
  if (!in.ok() || in.left() % 8 != 0 || !is_limited() || digest != charter_digest_ ||
      version <= version_ || count == 0 || count > at_most_ || first > word_count() ||
      words > word_count() - first) {
    return false;
  }
  Coming& coming = ComingFrom(from, version);
  if (version < coming.version) return false;
  coming.heard_at = now;
  coming.votes.resize(word_count());
  for (std::size_t w = first; w < first + words; ++w) coming.votes[w] |= in.U64();
  const bool too_far = slots_ % 64 != 0 && coming.votes.back() >> (slots_ % 64) != 0;
  const std::uint32_t so_far = CountVotes(coming.votes);
  if (so_far > count || too_far) {
    std::erase_if(coming_, [&](const Coming& each) { return each.from == from; });
    return false;
  }
  coming.complete = so_far == count;
  if (!coming.complete || (word != Word::kEnough && !IsConfirmed(coming))) return false;
  version_ = version;
  count_ = count;
  votes_ = std::move(coming.votes);
  coming_.clear();
  return true;
}

}  // namespace radix::flock
