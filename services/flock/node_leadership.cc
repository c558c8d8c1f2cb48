#include <algorithm>
#include <array>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

constexpr Duration kAskSlice = 20ms;
// Of the list of who has a vote: 1,600 datagrams a second, to those who lack it.
constexpr int kElectoratePartsPerSlice = 32;

}  // namespace

std::optional<Leadership> Flock::Node::KnownLeader(Instant now) const {
  // Of the own leadership the candidacy knows best: each renewal moves its end.
  if (const auto until = candidacy_.sealed_until(now)) {
    return Leadership{self_, candidacy_.sealed_epoch(), *until};
  }
  if (!leader_ || leader_->until <= now) return std::nullopt;
  return leader_;
}

bool Flock::Node::RanksFirst(const MemberId& candidate, Instant now) {
  // A working incumbent ranks first for everybody: no newcomer disturbs it.
  const auto leader = KnownLeader(now);
  if (leader && !IsBroken(Rule::kIncumbentRanksFirst)) return leader->leader == candidate;
  const MemberTable& table = membership_.table();
  std::optional<MemberId> first;
  if (counts_quorum_) first = self_;
  std::erase_if(contenders_, [&](std::uint32_t slot) {
    const Member* const member = table.Find(slot);
    if (member == nullptr || (table.ContactOf(*member).beat_flags & Beat::kCountsQuorum) == 0) {
      return true;
    }
    if (membership_.IsInContact(*member, now) && !GetsNoLease(member->id()) &&
        (!first || ranking_.Before(member->id(), *first))) {
      first = member->id();
    }
    return false;
  });
  return first == candidate;
}

void Flock::Node::TickLeadership(Instant now) {
  if (leader_ && leader_->until <= now && leader_->leader != self_) {
    ForgetLeader(Evidence::kLeaseExpired, now);
  }
  if (now >= steps_down_at_) candidacy_.StepDown();
  const bool may_ask = !leaving_ && counts_quorum_ && RanksFirst(self_, now);
  for (;;) {
    switch (candidacy_.Tick(may_ask, granter_.promise().epoch, now, random_)) {
      case CandidacyChange::kNone:
        SendAsks(now);
        return;
      case CandidacyChange::kSealed: {
        const auto until = candidacy_.sealed_until(now);
        leader_ = Leadership{self_, candidacy_.sealed_epoch(), until.value_or(now)};
        Emit(EventKind::kSealed, Evidence::kQuorum, self_, self_, candidacy_.sealed_epoch(),
             candidacy_.lease_count(now), now);
        next_asks_ = now;
        break;
      }
      case CandidacyChange::kUnsealed:
        if (leader_ && leader_->leader == self_) {
          Emit(EventKind::kUnsealed, Evidence::kQuorumLost, self_, self_, leader_->epoch, 0, now);
          leader_.reset();
        }
        break;
      case CandidacyChange::kGaveUp:
        GiveBackLeases(now);
        break;
    }
  }
}

void Flock::Node::GiveBackLeases(Instant now) {
  const std::uint64_t epoch = candidacy_.given_back_epoch();
  for (const MemberId& holder : candidacy_.TakeGivenBack()) {
    if (holder == self_) {
      granter_.HandleGiveBack(self_, epoch);
      continue;
    }
    Writer body = Begin(holder, now);
    Append(GiveBack{epoch}, body);
    SendPair(holder, body);
  }
}

void Flock::Node::SendAsks(Instant now) {
  if (candidacy_.asking_epoch() == 0 || now < next_asks_) return;
  next_asks_ = now + kAskSlice;
  ReviseElectorate(now);
  electorate_budget_ = kElectoratePartsPerSlice;
  MemberTable& table = membership_.table();
  for (std::size_t i = 0; i < table.size() && answers_.Has(now); ++i) {
    const Member& member = table.at(ask_cursor_++ % table.size());
    const MemberId to = member.id();
    if (to == self_) {
      if (const auto ask = candidacy_.AskFor(self_, charter_digest_, now)) {
        HandleAsk(self_, *ask, now);
      }
      continue;
    }
    // Only those that can answer: with a key in common, and heard lately. Whose lease runs is asked
    // until that ends: a few answers lost are no reason to let it run out.
    const Contact& contact = table.ContactOf(member);
    const bool heard = now - contact.heard_at <= config_.tunables.contact_timeout;
    if (!contact.proven || !IsLive(member.state) || CountsForNothing(to) ||
        (!heard && !candidacy_.IsGranting(to.slot, now)) || pair_keys_.Find(to) == nullptr) {
      continue;
    }
    const auto ask = candidacy_.AskFor(to, charter_digest_, now);
    if (!ask) continue;
    if (candidacy_.ElectorateKnownTo(to) < electorate_.version() && electorate_budget_ > 0) {
      electorate_budget_ -= SendElectorate(to, now);
    }
    Writer body = Begin(to, now);
    Append(*ask, body);
    SendPair(to, body);
    answers_.Take(now);
  }
}

void Flock::Node::HandleAsk(const MemberId& from, const LeaseAsk& ask, Instant now) {
  LeaseAnswer answer = AnswerByElectorate(from, ask, now);
  if (!answer.refusal) answer = granter_.HandleAsk(from, ask, RanksFirst(from, now), now);
  if (answer.grant) answer.grant->electorate = electorate_.version();
  if (answer.refusal) answer.refusal->electorate = electorate_.version();
  if (from == self_) {
    if (answer.grant) candidacy_.HandleGrant(self_, *answer.grant, now);
    if (answer.refusal) candidacy_.HandleRefusal(self_, *answer.refusal, now);
    return;
  }
  if (!answer.grant && !answer.refusal) return;  // the disk first
  Writer body = Begin(from, now);
  if (answer.grant) Append(*answer.grant, body);
  if (answer.refusal) Append(*answer.refusal, body);
  if (answer.grant) AppendSecondaryAck(secondary_stored_, body);
  SendPair(from, body);
}

void Flock::Node::HandlePersisted(const Promise& promise, Instant now) {
  now_ = now = std::max(now_, now);
  SendReleased(granter_.HandlePersisted(promise, now), now);
}

void Flock::Node::HandleNotPersisted(const Promise& promise, Instant now) {
  now_ = now = std::max(now_, now);
  // Whose disk takes nothing could keep none of the group's decisions either: it does not lead.
  SendReleased(granter_.HandleNotPersisted(promise, promise.holder == self_, now), now);
}

void Flock::Node::SendReleased(std::optional<LeaseGranter::Released> released, Instant now) {
  if (!released) return;
  released->grant.electorate = electorate_.version();
  if (released->to == self_) {
    candidacy_.HandleGrant(self_, released->grant, now);
    TickLeadership(now);
    return;
  }
  Writer body = Begin(released->to, now);
  Append(released->grant, body);
  AppendSecondaryAck(secondary_stored_, body);
  SendPair(released->to, body);
}

void Flock::Node::HandleLeaseMessages(const Incoming& packet, Instant now) {
  const Body& body = packet.body;
  if (body.ask) {
    if (body.ask->charter_digest != charter_digest_) {
      Emit(EventKind::kAlarm, Evidence::kCharterDiffers, packet.sender, self_, body.ask->epoch, 0,
           now);
    } else {
      HearLeader(packet.sender, *body.ask, now);  // under another charter a seal means nothing
    }
    HandleAsk(packet.sender, *body.ask, now);
  }
  if (body.grant) candidacy_.HandleGrant(packet.sender, *body.grant, now);
  if (body.refusal) {
    if (body.refusal->reason == RefusalReason::kCharter) {
      Emit(EventKind::kAlarm, Evidence::kCharterDiffers, packet.sender, packet.sender, 0, 0, now);
    }
    if (body.refusal->reason == RefusalReason::kRevoked) HearRevoked(packet.sender, now);
    candidacy_.HandleRefusal(packet.sender, *body.refusal, now);
  }
  if (body.grant && !electorate_.is_known()) ReviseElectorate(now);  // the first come have a vote
  if (body.grant || body.refusal) TickLeadership(now);
  if (!body.give_back) return;
  granter_.HandleGiveBack(packet.sender, body.give_back->epoch);
  if (leader_ && leader_->leader == packet.sender && leader_->epoch <= body.give_back->epoch) {
    ForgetLeader(Evidence::kGaveBack, now);
  }
}

void Flock::Node::HearLeader(const MemberId& from, const LeaseAsk& ask, Instant now) {
  if (ask.sealed_epoch == 0) {
    if (leader_ && leader_->leader == from) ForgetLeader(Evidence::kOwnWord, now);
    return;
  }
  const Instant until = now + std::min<Duration>(std::chrono::microseconds(ask.sealed_for_usec),
                                                 config_.tunables.lease);
  if (candidacy_.sealed_until(now)) {
    // Two at one time: only a false charter can do that. The lesser epoch yields.
    Emit(EventKind::kAlarm, Evidence::kTwoSealed, from, self_, ask.sealed_epoch, 0, now);
    if (ask.sealed_epoch < candidacy_.sealed_epoch()) return;
    if (IsBroken(Rule::kLesserOfTwoSealedYields)) return;
    candidacy_.StepDown();
    TickLeadership(now);
  }
  const auto known = KnownLeader(now);
  if (known && known->leader != from && known->epoch > ask.sealed_epoch) return;
  const bool news = !known || known->leader != from || known->epoch != ask.sealed_epoch;
  leader_ = Leadership{from, ask.sealed_epoch, until};
  if (news) {
    Emit(EventKind::kSealedLeader, Evidence::kOwnWord, from, from, ask.sealed_epoch, 0, now);
  }
}

void Flock::Node::ForgetLeader(Evidence evidence, Instant now) {
  Emit(EventKind::kSealedLeaderLost, evidence, leader_->leader, self_, leader_->epoch, 0, now);
  leader_.reset();
}

}  // namespace radix::flock
