#include <algorithm>
#include <array>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

constexpr Duration kAskSlice = 20ms;
// Of the list of who has a vote: 1,600 datagrams a second, to those who lack it.
constexpr int kElectoratePartsPerSlice = 32;
// Somebody says again and again that it leads as well; a person is told so often.
constexpr Duration kTwoSealedAgain = 10s;
// Without a leader, before somebody is heeded who has no vote by the list that is known here.
constexpr int kLeasesBeforeAStranger = 2;

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
  if (leader && !IsBroken(Rule::kIncumbentRanksFirst)) {
    Await(leader->leader, now);
    return leader->leader == candidate;
  }
  const auto first = FirstContender(now);
  if (first) Await(*first, now);
  return first == candidate;
}

void Flock::Node::Await(const MemberId& first, Instant now) {
  const auto grant = granter_.grant(now);
  const bool has_lease = (grant && grant->promise.holder == first) || first == self_ ||
                         !granter_.IsReady(now) || !electorate_.HasVote(self_.slot);
  awaited_.Note(first, has_lease, now);
}

std::optional<MemberId> Flock::Node::FirstContender(Instant now) {
  const MemberTable& table = membership_.table();
  std::optional<MemberId> first;
  if (counts_quorum_) first = self_;
  std::erase_if(contenders_, [&](std::uint32_t slot) {
    const Member* const member = table.Find(slot);
    if (member == nullptr || (table.ContactOf(*member).beat_flags & Beat::kCountsQuorum) == 0) {
      return true;
    }
    const MemberId id = member->id();
    if (membership_.IsInContact(*member, now) && !GetsNoLease(id) && MayLead(id, now) &&
        (!first || ranking_.Before(id, *first))) {
      first = id;
    }
    return false;
  });
  return first;
}

// Who was waited for in vain may not, for a while; nor may who has no vote.
bool Flock::Node::MayLead(const MemberId& id, Instant now) const {
  if (awaited_.IsPassedOver(id, now) && !IsBroken(Rule::kNobodyWaitsForEver)) return false;
  return electorate_.HasVote(id.slot) || IsBroken(Rule::kOnlyVotersLead);
}

void Flock::Node::TickLeadership(Instant now) {
  if (leader_ && leader_->until <= now && leader_->leader != self_) {
    ForgetLeader(Evidence::kLeaseExpired, now);
  }
  const bool leaderless = !KnownLeader(now) && now - leader_lost_at_ >= kEpochLongJumpAfter;
  granter_.set_epoch_jump(leaderless ? kEpochLongJumpMax : kEpochJumpMax);
  candidacy_.set_epoch_told(leaderless ? kEpochLongJumpMax : kEpochToldMax);
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
          leader_lost_at_ = now;
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
  if (body.give_back->epoch == 0 && leader_ && leader_->leader == packet.sender) {
    // Another leads, by a list that need not be one that this node knows.
    ForgetLeader(Evidence::kGaveBack, now);
    ForgetElectorate(now);
    return;
  }
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
  if (candidacy_.sealed_until(now) && !YieldsTo(from, ask, now)) return;
  if (!Believes(from, ask, now)) return;  // who has just yielded forgot which votes count
  const auto known = KnownLeader(now);
  const bool news = !known || known->leader != from || known->epoch != ask.sealed_epoch;
  leader_ = Leadership{from, ask.sealed_epoch, until};
  const auto grant = granter_.grant(now);
  if (grant && grant->promise.holder == from && ask.electorate.epoch == 0) {
    electorate_.HearOfNone();
  }
  if (news) {
    Emit(EventKind::kSealedLeader, Evidence::kOwnWord, from, from, ask.sealed_epoch, 0, now);
  }
}

// Two at one time: only a false charter can do that, or one of them lies. A word alone proves
// neither. Where a quorum grants elsewhere there are two indeed; then the lesser epoch yields.
bool Flock::Node::YieldsTo(const MemberId& from, const LeaseAsk& ask, Instant now) {
  if (now - two_sealed_told_ >= kTwoSealedAgain) {
    two_sealed_told_ = now;
    Emit(EventKind::kAlarm, Evidence::kTwoSealed, from, self_, ask.sealed_epoch, 0, now);
  }
  const std::uint64_t own = candidacy_.sealed_epoch();
  if (ask.sealed_epoch < own || (ask.sealed_epoch == own && from < self_)) return false;
  if (IsBroken(Rule::kLesserOfTwoSealedYields)) return false;
  if (!candidacy_.IsOutvoted(from.slot, now)) return false;
  candidacy_.Yield(now);
  TickLeadership(now);
  ForgetElectorate(now);
  return true;
}

// Whether that boot is not listed any more, or as one that is gone: others can say so only
// together, and another boot takes its place only when it has proven itself.
bool Flock::Node::IsOver(const MemberId& id) const {
  if (id == self_) return false;
  const Member* const member = membership_.table().Find(id.slot);
  return member == nullptr || member->id() != id || !IsLive(member->state);
}

// That `from` is sealed is its own word. This node's grant stands behind it, or nothing does; then
// it is heeded only where there is no leader, from somebody who may be one.
bool Flock::Node::Believes(const MemberId& from, const LeaseAsk& ask, Instant now) const {
  if (const auto grant = granter_.grant(now)) {
    const Promise& promise = grant->promise;
    if (promise.holder == from && ask.sealed_epoch <= promise.epoch) return true;
  }
  const auto known = KnownLeader(now);
  if (known && known->leader == from) return !awaited_.IsPassedOver(from, now);
  // Who slept hears first what was said to it while it did, and grants to a leader that is gone.
  if (known && !IsOver(known->leader)) {
    return IsBroken(Rule::kOneWordMovesNobody) && ask.sealed_epoch >= known->epoch;
  }
  if (known && ask.sealed_epoch <= known->epoch) return false;
  if (ask.sealed_epoch > std::min(ask.epoch, granter_.epoch_max())) return false;
  if (MayLead(from, now)) return true;
  // It may have a vote by a list that this node missed. By its own it waits for others first.
  return !awaited_.IsPassedOver(from, now) && ask.electorate >= electorate_.version() &&
         now - leader_lost_at_ >= kLeasesBeforeAStranger * config_.tunables.lease;
}

void Flock::Node::ForgetLeader(Evidence evidence, Instant now) {
  leader_lost_at_ = now;
  Emit(EventKind::kSealedLeaderLost, evidence, leader_->leader, self_, leader_->epoch, 0, now);
  leader_.reset();
}

}  // namespace radix::flock
