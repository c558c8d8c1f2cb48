#include <algorithm>
#include <array>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

// Of a list that is long, a part at a time.
constexpr std::uint32_t kPartsAtOnce = 4;

}  // namespace

LeaseAnswer Flock::Node::AnswerByElectorate(const MemberId& from, const LeaseAsk& ask,
                                            Instant now) {
  if (ask.charter_digest != charter_digest_) return {};  // for other reasons
  if (ask.electorate < electorate_.version() && !IsBroken(Rule::kNoGrantToALesserList)) {
    SendElectorate(from, now);
    return {std::nullopt, LeaseRefusal{ask.sequence, RefusalReason::kElectorate, 0, 0, {}}};
  }
  if (!electorate_.HasVote(self_.slot)) {
    return {std::nullopt, LeaseRefusal{ask.sequence, RefusalReason::kNoVote, 0, 0, {}}};
  }
  return {};
}

int Flock::Node::SendElectorate(const MemberId& to, Instant now) {
  const std::uint32_t count = std::min(electorate_.part_count(), kPartsAtOnce);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::array<std::uint8_t, Electorate::kPartSizeMax> bytes;
    Writer part(bytes);
    electorate_cursor_ = electorate_.EncodePart(electorate_cursor_, part);
    Writer body = Begin(to, now);
    AppendElectorate(part.written(), body);
    SendPair(to, body);
  }
  return static_cast<int>(count);
}

void Flock::Node::HandleElectorate(const Incoming& packet, Instant now) {
  if (packet.body.electorate.empty()) return;
  const bool had_vote = electorate_.HasVote(self_.slot);
  const auto version = Electorate::VersionOf(packet.body.electorate);
  const Electorate::Word word = WordOn(packet.sender, version.epoch, now);
  if (electorate_.HandlePart(packet.sender, word, packet.body.electorate, now)) {
    ElectorateChanged(had_vote, now);
  } else if (electorate_.IsContested(now)) {
    counts_quorum_ = false;
  }
}

// A leader alone makes lists, so its followers take them from it, made under no greater epoch than
// its own. A candidate follows nobody, and learns of a later list from those who refuse it, and who
// knows none from all: one of them may lie. A sealed leader was granted by its list all that it
// leads by: there is no later one.
Electorate::Word Flock::Node::WordOn(const MemberId& from, std::uint64_t epoch, Instant now) const {
  using Word = Electorate::Word;
  if (IsBroken(Rule::kListsComeFromTheLeader)) return Word::kEnough;
  if (epoch > kEpochMax || candidacy_.sealed_until(now)) return Word::kNothing;
  const auto grant = granter_.grant(now);
  if (grant && grant->promise.holder == from) {
    return epoch <= grant->promise.epoch ? Word::kEnough : Word::kNothing;
  }
  if (!grant) {
    const auto leader = KnownLeader(now);
    if (leader && leader->leader == from) {
      return epoch <= leader->epoch ? Word::kEnough : Word::kNothing;
    }
  }
  const bool counts =
      !electorate_.is_known() || (candidacy_.asking_epoch() != 0 && electorate_.HasVote(from.slot));
  return counts ? Word::kOneOfTwo : Word::kNothing;
}

void Flock::Node::ReviseElectorate(Instant now) {
  if (!electorate_.is_limited()) return;
  const std::uint64_t epoch = candidacy_.sealed_epoch();
  if (!candidacy_.sealed_until(now) || candidacy_.asking_epoch() != epoch) {
    turned_away_.clear();
    return;
  }
  const bool outdated = candidacy_.IsOutdated();
  const bool is_whole = candidacy_.lease_count(now) >= config_.charter.at_most;
  if (!electorate_.is_known() && !is_whole && !outdated) return;
  const MemberTable& table = membership_.table();
  Electorate::Standing standing;
  standing.epoch = epoch;
  standing.self = self_.slot;
  standing.outdated = outdated;
  std::vector<MemberId> waiting;
  for (const MemberId& id : candidacy_.Waiting()) {
    const Member* const member = table.Find(id.slot);
    if (member == nullptr || member->id() != id || !IsLive(member->state) || IsRevoked(id))
      continue;
    standing.waiting.push_back(id.slot);
    waiting.push_back(id);
  }
  std::erase_if(turned_away_,
                [&](const MemberId& id) { return std::ranges::count(waiting, id) == 0; });
  if (electorate_.is_known() && standing.waiting.empty() && !outdated) return;
  standing.granting = candidacy_.Granting(now);
  standing.acknowledged = candidacy_.IsElectorateKnown();
  standing.is_gone = [&](std::uint32_t slot) {
    const Member* const member = table.Find(slot);
    const bool out = member == nullptr || !IsLive(member->state) || IsRevoked(member->id());
    return out && !candidacy_.IsGranting(slot, now);
  };
  switch (electorate_.Revise(standing)) {
    case Electorate::Revision::kNone:
      return;
    case Electorate::Revision::kMade:
      ElectorateChanged(true, now);
      return;
    case Electorate::Revision::kFull:
      for (const MemberId& id : waiting) {
        if (std::ranges::count(turned_away_, id) > 0) continue;
        turned_away_.push_back(id);
        Emit(EventKind::kAlarm, Evidence::kTooManyMembers, id, self_, epoch,
             electorate_.count() + waiting.size(), now);
      }
  }
}

void Flock::Node::ForgetElectorate(Instant now) {
  if (!electorate_.is_known()) return;
  const bool had_vote = electorate_.HasVote(self_.slot);
  electorate_.Forget();
  ElectorateChanged(had_vote, now);
}

void Flock::Node::ElectorateChanged(bool had_vote, Instant now) {
  candidacy_.HandleElectorate(now);
  next_asks_ = now;
  const bool has_vote = electorate_.HasVote(self_.slot);
  if (has_vote == had_vote) return;
  const std::uint64_t epoch = electorate_.version().epoch;
  if (has_vote) {
    Emit(EventKind::kAdmitted, Evidence::kNone, self_, self_, epoch, 0, now);
  } else {
    counts_quorum_ = false;
    candidacy_.StepDown();
    Emit(EventKind::kAlarm, Evidence::kTurnedAway, self_, self_, epoch, electorate_.count(), now);
  }
}

}  // namespace radix::flock
