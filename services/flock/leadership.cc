#include "services/flock/leadership.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

// Members that come back with greater promises than the leader's are followed at once; one that
// makes up a greater one each time is not.
constexpr Duration kRaiseInterval = 60s;
constexpr int kRaisesAtOnce = 4;
// Until all who followed this node have heard that another leads, whose lists they may lack.
constexpr int kLeasesBehindALeader = 4;
constexpr Duration kBehindLeast = 1s;
constexpr Duration kBehindMost = 4s;
// Of more voters, the leases are not counted at every single grant: ten thousand of them a second
// would each look at ten thousand.
constexpr std::size_t kRecountAlways = 256;
constexpr Duration kRecountInterval = 10ms;
// Renewing brings an answer from each voter; no more of them than this, which leaves room for those
// that do not answer yet. So ten thousand are asked every 1.2 s.
constexpr Duration kRenewalPace = 120us;

}  // namespace

Candidacy::Candidacy(const Tunables& tunables, std::uint32_t quorum, const MemberId& self,
                     const Electorate& electorate)
    : tunables_(tunables),
      quorum_(quorum),
      self_(self),
      electorate_(electorate),
      raises_(kRaiseInterval, kRaisesAtOnce) {}

const Candidacy::Voter* Candidacy::Find(std::uint32_t slot) const {
  const auto at =
      std::ranges::lower_bound(voters_, slot, {}, [](const Voter& v) { return v.id.slot; });
  return at == voters_.end() || at->id.slot != slot ? nullptr : &*at;
}

Candidacy::Voter& Candidacy::VoterOf(const MemberId& member) {
  auto at = std::lower_bound(voters_.begin(), voters_.end(), member.slot,
                             [](const Voter& v, std::uint32_t slot) { return v.id.slot < slot; });
  if (IsBroken(Rule::kOneVoterPerSlot)) {
    while (at != voters_.end() && at->id.slot == member.slot && at->id != member) ++at;
  }
  if (at == voters_.end() || at->id.slot != member.slot) {
    at = voters_.insert(at, Voter{});
    at->id = member;
  } else if (at->id != member) {
    // Another boot of the machine: the same voter. What the earlier boot granted goes on counting;
    // the new one cannot grant before that has run out.
    const Instant until = at->until;
    *at = Voter{};
    at->id = member;
    at->until = until;
  }
  return *at;
}

std::optional<Instant> Candidacy::sealed_until(Instant now) const {
  if (sealed_ == 0 || now >= sealed_until_) return std::nullopt;
  return sealed_until_;
}

std::uint32_t Candidacy::lease_count(Instant now) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(voters_, [now](const Voter& v) { return v.until > now; }));
}

void Candidacy::HandleElectorate(Instant now) {
  outdated_ = false;
  for (Voter& voter : voters_) {
    if (!electorate_.HasVote(voter.id.slot)) voter.until = Instant{};
    voter.granted_knowing = voter.wants_vote = false;
    voter.ask_next = now;
  }
  CountAnew(now);
}

void Candidacy::Dismiss(std::uint32_t slot, Instant now) {
  for (Voter& voter : voters_) {
    if (voter.id.slot != slot) continue;
    voter.until = Instant{};
    voter.granted_knowing = voter.wants_vote = false;
  }
  CountAnew(now);
}

void Candidacy::CountAnew(Instant now) {
  if (asking_ == 0) return;
  // Of the leases of an earlier epoch only their end is known.
  if (sealed_ != asking_) sealed_until_ = now;
  Recount(now);
}

std::vector<std::uint32_t> Candidacy::Granting(Instant now) const {
  std::vector<std::uint32_t> slots;
  for (const Voter& voter : voters_) {
    if (voter.until > now) slots.push_back(voter.id.slot);
  }
  return slots;
}

bool Candidacy::IsSilent(std::uint32_t slot, Instant now) const {
  const Voter* const voter = Find(slot);
  return asking_ != 0 && voter != nullptr && voter->awaiting &&
         now - voter->asked_at >= 2 * tunables_.request_interval;
}

bool Candidacy::IsGranting(std::uint32_t slot, Instant now) const {
  const Voter* const voter = Find(slot);
  return voter != nullptr && voter->until > now;
}

std::vector<MemberId> Candidacy::Waiting() const {
  std::vector<MemberId> waiting;
  for (const Voter& voter : voters_) {
    if (voter.wants_vote) waiting.push_back(voter.id);
  }
  return waiting;
}

bool Candidacy::IsElectorateKnown() const {
  return std::ranges::count(voters_, true, &Voter::granted_knowing) >=
         static_cast<std::ptrdiff_t>(quorum_);
}

ElectorateVersion Candidacy::ElectorateKnownTo(const MemberId& member) const {
  const Voter* const voter = Find(member.slot);
  return voter != nullptr && voter->id == member ? voter->electorate : ElectorateVersion{};
}

Instant Candidacy::QuorumEnd() const {
  const Voter* const self = Find(self_.slot);
  if (self == nullptr || voters_.size() < quorum_) return Instant{};
  std::vector<Instant> ends;
  ends.reserve(voters_.size());
  for (const Voter& voter : voters_) ends.push_back(voter.until);
  const auto nth = ends.begin() + static_cast<std::ptrdiff_t>(quorum_) - 1;
  std::nth_element(ends.begin(), nth, ends.end(), std::greater<>());
  return std::min(*nth, self->until);
}

void Candidacy::Yield(Instant now) {
  step_down_ = yields_ = true;
  behind_until_ = now + kLeasesBehindALeader * tunables_.lease;
}

bool Candidacy::IsOutvoted(std::uint32_t rival, Instant now) const {
  if (sealed_ == 0) return false;
  if (IsBroken(Rule::kOneWordUnsealsNobody)) return true;
  const auto others = std::ranges::count_if(voters_, [&](const Voter& voter) {
    return voter.elsewhere && voter.until <= now && voter.id.slot != rival;
  });
  return others + 1 >= std::max<std::ptrdiff_t>(quorum_, 2);
}

void Candidacy::Recount(Instant now) {
  recount_due_ = false;
  recount_next_ = now + kRecountInterval;
  const Instant end = QuorumEnd();
  if (asking_ == sealed_) {
    sealed_until_ = end;
  } else if (end > now && !electorate_.IsContested(now)) {
    sealed_ = asking_;
    sealed_until_ = end;
    sealed_reported_ = false;
    // Everybody hears of it at once, with the next renewal.
    for (Voter& voter : voters_) {
      voter.knows = false;
      if (!voter.awaiting) voter.ask_next = now;
    }
  }
  if (sealed_ != 0) told_until_ = std::max(told_until_, sealed_until_);
}

void Candidacy::Begin(std::uint64_t epoch, Instant now) {
  asking_ = epoch;
  started_at_ = now;
  for (Voter& voter : voters_) {
    voter.until = Instant{};
    voter.awaiting = false;
    voter.ask_next = now;
  }
}

void Candidacy::RaiseTo(std::uint64_t epoch, Instant now) {
  // While sealed under another epoch, `sealed_until_` stands: its leases are not renewed any more.
  asking_ = epoch;
  for (Voter& voter : voters_) {
    voter.until = Instant{};
    voter.awaiting = false;
    voter.ask_next = now;
  }
}

CandidacyChange Candidacy::GiveUp(Instant now) {
  given_back_.clear();
  const bool runs_out = now < told_until_ && !IsBroken(Rule::kSealedLeasesRunOut);
  for (Voter& voter : voters_) {
    if (voter.sequence != 0 && (!runs_out || yields_)) given_back_.push_back(voter.id);
    voter.elsewhere = false;
    voter.until = Instant{};
    voter.awaiting = false;
  }
  used_ = std::max(used_, asking_);
  given_back_epoch_ = runs_out ? 0 : used_;
  asking_ = sealed_ = 0;
  step_down_ = yields_ = false;
  return CandidacyChange::kGaveUp;
}

std::vector<MemberId> Candidacy::TakeGivenBack() { return std::exchange(given_back_, {}); }

CandidacyChange Candidacy::Tick(bool may_ask, std::uint64_t promised, Instant now, Random& random) {
  if (asking_ == 0) {
    step_down_ = false;
    if (!may_ask || StepsBehind(now)) return CandidacyChange::kNone;
    const std::uint64_t before = std::max({told_, used_, promised});
    base_ = std::max(used_, promised);
    if (before < kEpochMax) Begin(before + 1, now);
    return CandidacyChange::kNone;
  }
  const bool runs_out = sealed_ != 0 && now >= sealed_until_;
  if (recount_due_ && (runs_out || now >= recount_next_)) Recount(now);
  if (sealed_ != 0 && (now >= sealed_until_ || step_down_)) {
    sealed_ = 0;
    sealed_until_ = Instant{};
    started_at_ = now;
    // What was begun under the old epoch ends with it: sealed again is sealed anew.
    RaiseTo(asking_ + 1, now);
    if (sealed_reported_) {
      sealed_reported_ = false;
      return CandidacyChange::kUnsealed;
    }
  }
  if (sealed_ != 0) {
    if (sealed_reported_) return CandidacyChange::kNone;
    sealed_reported_ = true;
    return CandidacyChange::kSealed;
  }
  if (!may_ask || step_down_) return GiveUp(now);
  if (now - started_at_ > 2 * tunables_.lease) {
    behind_until_ = now + random.Between(kBehindLeast, kBehindMost);
    return GiveUp(now);
  }
  return CandidacyChange::kNone;
}

std::optional<LeaseAsk> Candidacy::AskFor(const MemberId& member, std::uint64_t charter_digest,
                                          Instant now) {
  Voter& voter = VoterOf(member);
  if (now < voter.ask_next) return std::nullopt;
  // A repeated request keeps its number and its time, so that whichever answer arrives counts from
  // the first sending; until such a lease would be worth nothing.
  if (!voter.awaiting || now - voter.asked_at > tunables_.lease) {
    voter.sequence = ++sequence_;
    voter.asked_at = now;
    voter.awaiting = true;
  }
  voter.ask_next = now + tunables_.request_interval;
  LeaseAsk ask;
  ask.epoch = asking_;
  ask.sequence = voter.sequence;
  ask.echo = voter.echo;
  ask.charter_digest = charter_digest;
  ask.electorate = electorate_.version();
  if (const auto until = sealed_until(now)) {
    ask.sealed_epoch = sealed_;
    voter.knows = sealed_ == asking_;
    ask.sealed_for_usec = static_cast<std::uint32_t>((*until - now).count() / 1000);
  }
  return ask;
}

Instant Candidacy::next() const {
  return asking_ != 0 && sealed_ != 0 ? sealed_until_ : Instant::max();
}

void Candidacy::HandleGrant(const MemberId& from, const LeaseGrant& grant, Instant now) {
  if (asking_ == 0) return;
  Voter& voter = VoterOf(from);
  const bool unheard = voter.echo != grant.answer;
  voter.echo = grant.answer;
  voter.electorate = grant.electorate;
  voter.wants_vote = !electorate_.HasVote(from.slot);
  if (!voter.awaiting) return;
  if (grant.sequence != voter.sequence) {
    // A repeated older answer: now that it can be echoed, the request will be granted.
    if (unheard) voter.ask_next = now;
    return;
  }
  voter.awaiting = voter.elsewhere = false;
  const auto voters = static_cast<Duration::rep>(voters_.size());
  voter.ask_next =
      std::max(now, voter.asked_at + std::clamp(kRenewalPace * voters, tunables_.renew_interval,
                                                tunables_.lease / 2));
  const Instant from_when = IsBroken(Rule::kLeaseCountsFromTheRequest) ? now : voter.asked_at;
  const Instant until = from_when + ShortenedLease(tunables_);
  if (voter.wants_vote) return;  // turned away: it grants, and does not count
  if (grant.epoch == asking_) {
    voter.until = std::max(voter.until, until);
    voter.granted_knowing = grant.electorate == electorate_.version();
    recount_due_ = true;
    if (voters_.size() <= kRecountAlways) Recount(now);
    if (sealed_ == asking_ && !voter.knows) voter.ask_next = now;
  } else if (grant.epoch > used_) {
    // An answer under an epoch that we have moved past since: ask again under the new one.
    voter.ask_next = now;
  }
}

void Candidacy::HandleRefusal(const MemberId& from, const LeaseRefusal& refusal, Instant now) {
  if (asking_ == 0) return;
  Voter& voter = VoterOf(from);
  if (!voter.awaiting || refusal.sequence != voter.sequence) return;
  voter.awaiting = false;
  voter.electorate = refusal.electorate;
  voter.wants_vote = refusal.reason == RefusalReason::kNoVote && !electorate_.HasVote(from.slot);
  voter.elsewhere =
      refusal.reason == RefusalReason::kPromised ||
      (refusal.reason == RefusalReason::kElectorate && refusal.electorate > electorate_.version());
  // A booting member knows when it will grant; another holder may give back any time before. Once
  // sealed, everybody is asked each second anyway, because the request says so.
  const Duration wait = std::chrono::microseconds(refusal.retry_after_usec);
  const bool booting = refusal.reason == RefusalReason::kBooting;
  const Duration most = !booting       ? tunables_.request_interval
                        : sealed_ != 0 ? tunables_.renew_interval
                                       : LengthenedLease(tunables_);
  voter.ask_next = now + (wait > 0ms ? std::clamp<Duration>(wait, 1ms, most) : most);
  const bool for_long =
      refusal.reason == RefusalReason::kCharter || refusal.reason == RefusalReason::kRevoked;
  if (for_long) voter.ask_next = now + 5s;
  if (refusal.reason == RefusalReason::kNoVote) voter.ask_next = now + tunables_.renew_interval;
  if (!electorate_.HasVote(from.slot)) return;
  std::uint64_t promised = refusal.promised_epoch;
  if (refusal.reason == RefusalReason::kElectorate && sealed_ != 0 && voter.elsewhere) {
    // By a list of this epoch it will follow.
    promised = refusal.electorate.epoch;
    if (promised < sealed_) outdated_ = true;
  } else if (refusal.reason != RefusalReason::kEpoch) {
    return;
  }
  const std::uint64_t base = sealed_ != 0 ? asking_ : base_;
  if (promised < asking_ || promised > base + epoch_told_ || promised >= kEpochMax) return;
  told_ = std::max(told_, promised);
  if (sealed_ == 0 || raises_.Take(now)) RaiseTo(told_ + 1, now);
}

}  // namespace radix::flock
