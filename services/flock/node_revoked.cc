// What becomes of members whose keys the group has revoked.
//
// It is safe however unevenly the word spreads: a lease that is refused, or not counted, only makes
// quorums rarer. What was granted before runs on, for its granter too, which promises nobody else
// anything until it has run out or was given back.

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

// Somebody who refuses a lease says why; a person is told so often.
constexpr Duration kToldAgain = 10min;
// Who is revoked has the key that the others use. After so many rotations it is in none of their
// slots, and opens for a grace only.
constexpr int kRotations = 2;
// A leader that hears that it was revoked leads on for so long: it is the one who still has to have
// that acknowledged.
constexpr Duration kLastWord = 1s;

}  // namespace

bool Flock::Node::IsRevoked(const MemberId& id) const {
  if (revoked_.empty()) return false;
  const Member* const member = membership_.table().Find(id.slot);
  return member != nullptr && member->id() == id && revoked_.Contains(member->fingerprint);
}

bool Flock::Node::GetsNoLease(const MemberId& id) const {
  return IsRevoked(id) && !IsBroken(Rule::kRevokedGetNoLease);
}

bool Flock::Node::CountsForNothing(const MemberId& id) const {
  return IsRevoked(id) && !IsBroken(Rule::kRevokedCountForNothing);
}

void Flock::Node::SetRevoked(std::vector<std::uint64_t> fingerprints, Instant now) {
  now_ = now = std::max(now_, now);
  Revocations revoked(std::move(fingerprints));
  if (revoked == revoked_) return;
  const Revocations before = std::exchange(revoked_, std::move(revoked));
  standing_.SetRevoked(revoked_);
  // What this node had heard of may not have been kept after all.
  if (!IsRevoked(self_)) steps_down_at_ = Instant::max();
  const MemberTable& table = membership_.table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Member& member = table.at(i);
    if (IsRevoked(member.id()) && !before.Contains(member.fingerprint)) Revoke(member.id(), now);
  }
  TickLeadership(now);
}

void Flock::Node::Revoke(const MemberId& id, Instant now) {
  rotations_due_ = kRotations;
  if (id == self_) {
    counts_quorum_ = false;  // so that it asks nobody any more
    steps_down_at_ = now + kLastWord;
    Emit(EventKind::kAlarm, Evidence::kRevoked, self_, self_, 0, 0, now);
    return;
  }
  if (CountsForNothing(id)) candidacy_.Dismiss(id.slot, now);
  Emit(EventKind::kRevoked, Evidence::kRevoked, id, self_, 0, 0, now);
  if (!GetsNoLease(id)) return;
  granter_.Withhold(id);
  if (leader_ && leader_->leader == id) ForgetLeader(Evidence::kRevoked, now);
}

// All that it may still do between the two: hear why it gets no lease, and give back.
void Flock::Node::HandleRevoked(const Incoming& packet, Instant now) {
  const Body& body = packet.body;
  if (body.give_back) granter_.HandleGiveBack(packet.sender, body.give_back->epoch);
  if (body.ask && !GetsNoLease(packet.sender)) {
    HearLeader(packet.sender, *body.ask, now);
    HandleAsk(packet.sender, *body.ask, now);
  } else if (body.ask) {
    Writer out = Begin(packet.sender, now);
    Append(LeaseRefusal{body.ask->sequence, RefusalReason::kRevoked, 0, 0, {}}, out);
    SendPair(packet.sender, out);
  }
  if (body.grant && !CountsForNothing(packet.sender)) {
    candidacy_.HandleGrant(packet.sender, *body.grant, now);
    TickLeadership(now);
  }
}

// `by` says that this node is revoked, which it may not have heard itself. That it gets no lease it
// finds out in any case.
void Flock::Node::HearRevoked(const MemberId& by, Instant now) {
  if (now - revoked_told_ < kToldAgain || IsRevoked(self_)) return;
  revoked_told_ = now;
  Emit(EventKind::kAlarm, Evidence::kRevoked, self_, by, 0, 0, now);
}

}  // namespace radix::flock
