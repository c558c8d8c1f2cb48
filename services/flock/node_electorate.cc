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
  if (electorate_.HandlePart(packet.body.electorate)) ElectorateChanged(had_vote, now);
}

void Flock::Node::ReviseElectorate(Instant now) {
  if (!electorate_.is_limited()) return;
  const std::uint64_t epoch = candidacy_.sealed_epoch();
  if (!candidacy_.sealed_until(now) || candidacy_.asking_epoch() != epoch) {
    turned_away_.clear();
    return;
  }
  if (!electorate_.is_known() && candidacy_.lease_count(now) < config_.charter.at_most) return;
  const MemberTable& table = membership_.table();
  Electorate::Standing standing;
  standing.epoch = epoch;
  standing.self = self_.slot;
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
  if (electorate_.is_known() && standing.waiting.empty()) return;
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
