#include "services/flock/membership.h"

#include <algorithm>
#include <span>
#include <utility>

namespace radix::flock {
namespace {

// A record that jumps further is a lie, or of a member that refutes a thousand times an hour.
constexpr std::uint32_t kIncarnationJumpMax = 1U << 16;
constexpr std::uint32_t kIncarnationMax = 1U << 31;
constexpr Duration kPurgeInterval = 10s;

void NoteAccusers(std::span<const std::uint32_t> accusers, Witnesses& witnesses) {
  witnesses.accuser_count = static_cast<std::uint8_t>(accusers.size());
  std::ranges::copy(accusers, witnesses.accusers.begin());
}

}  // namespace

Membership::Membership(const Tunables& tunables, std::uint32_t slots, std::uint32_t expected,
                       const Record& self, std::vector<Event>& events, Instant now)
    : tunables_(tunables),
      self_(self),
      table_(slots, expected),
      suspicions_(tunables),
      events_(events),
      changed_at_(now),
      next_purge_(now + kPurgeInterval) {
  table_.Add(self);
}

Event& Membership::Emit(EventKind kind, Evidence evidence, const MemberId& subject,
                        const MemberId& reporter, std::uint32_t incarnation, Instant now) {
  if (kind != EventKind::kSuspected) changed_at_ = now;
  Event& event = events_.emplace_back(Event{kind, evidence, now, subject, reporter});
  event.incarnation = incarnation;
  return event;
}

bool Membership::IsInContact(const Member& member, Instant now) const {
  const Contact& contact = table_.ContactOf(member);
  return contact.proven && IsLive(member.state) &&
         now - contact.heard_at < tunables_.contact_timeout &&
         now - contact.hears_us_at < tunables_.contact_timeout;
}

void Membership::Tell(std::uint32_t slot, Instant now) {
  if (std::ranges::count(tells_, slot) == 0 && tell_pace_.Take(now)) tells_.push_back(slot);
}

std::vector<std::uint32_t> Membership::TakeTells() { return std::exchange(tells_, {}); }

void Membership::Raise(std::uint32_t above, Instant now) {
  if (above < self_.incarnation || above >= kIncarnationMax) return;
  self_.incarnation = above + 1;
  table_.Apply(*table_.Find(self_.id.slot), self_);
  news_.Add(self_.id.slot, table_.live_count());
  changed_at_ = now;
}

void Membership::MergeAboutSelf(const Record& record, std::span<const std::uint32_t> accusers,
                                const MemberId& teller, Instant now) {
  if (record.id.boot == self_.id.boot) {
    const bool accused = record.state != MemberState::kAlive;
    const std::uint32_t before = self_.incarnation;
    // Nobody else may raise our incarnation: whatever claims to be later is topped.
    if (record.incarnation > self_.incarnation || accused) Raise(record.incarnation, now);
    if (!accused || self_.incarnation == before) return;
    Event& event =
        Emit(EventKind::kSuspected, Evidence::kHearsay, self_.id, teller, record.incarnation, now);
    // Who removed us does not say any more who accused us.
    NoteAccusers(accusers.empty() ? std::span(&teller.slot, 1) : accusers, event.witnesses);
    Emit(EventKind::kRefuted, Evidence::kOwnWord, self_.id, self_.id, self_.incarnation, now);
  } else if (record.incarnation >= self_.incarnation) {
    Raise(record.incarnation, now);
  }
}

void Membership::Revive(Member& member, const Record& record, Evidence evidence,
                        const MemberId& reporter, bool bulk, Instant now) {
  const MemberState before = member.state;
  const std::uint64_t boot_before = member.boot;
  Record alive = record;
  alive.state = MemberState::kAlive;
  if (alive.fingerprint == 0) alive.fingerprint = member.fingerprint;
  table_.Apply(member, alive);
  suspicions_.Clear(member.slot);
  if (!bulk) news_.Add(member.slot, table_.live_count());
  if (boot_before != member.boot) {
    Emit(EventKind::kJoined, Evidence::kReplacedByBoot, member.id(), reporter, member.incarnation,
         now)
        .value = boot_before;
  } else if (before == MemberState::kSuspect) {
    Emit(EventKind::kRefuted, evidence, member.id(), reporter, member.incarnation, now);
  } else if (!IsLive(before)) {
    Emit(EventKind::kJoined, evidence, member.id(), reporter, member.incarnation, now);
  } else {
    changed_at_ = now;
  }
}

void Membership::MergeHearsay(const NewsItem& item, const MemberId& teller, bool bulk,
                              Instant now) {
  Record record = item.record;
  if (record.id.slot >= table_.slots() || record.incarnation >= kIncarnationMax) return;
  if (item.check != 0) {
    // Whoever holds another boot or incarnation cannot tell whether it was before or after.
    const Member* const known = table_.Find(record.id.slot);
    if (known == nullptr || CheckOf(known->record()) != item.check) return;
    record = known->record();
    record.state = MemberState::kSuspect;
  }
  if (record.id.slot == self_.id.slot) {
    MergeAboutSelf(record, std::span(item.accusers).first(item.accuser_count), teller, now);
    return;
  }
  Member* member = table_.Find(record.id.slot);
  const bool known_before = member != nullptr && member->boot == record.id.boot &&
                            member->incarnation == record.incarnation;
  if (member == nullptr) {
    if (!IsLive(record.state)) return;
    Record alive = record;
    alive.state = MemberState::kAlive;
    member = &table_.Add(alive);
    if (!bulk) news_.Add(member->slot, table_.live_count());
    Emit(EventKind::kJoined, Evidence::kHearsay, record.id, teller, record.incarnation, now);
  } else if (member->boot != record.id.boot) {
    // The living owner will top this itself if it is not so; the dead cannot.
    if (!IsLater(record, *member) || IsInContact(*member, now)) return;
    if (record.incarnation - member->incarnation > kIncarnationJumpMax) return;
    Revive(*member, record, Evidence::kHearsay, teller, bulk, now);
  } else if (record.incarnation > member->incarnation) {
    if (record.incarnation - member->incarnation > kIncarnationJumpMax) return;
    if (!IsLive(record.state) && !IsLive(member->state)) return;
    Revive(*member, record, Evidence::kHearsay, teller, bulk, now);
  } else if (record.incarnation < member->incarnation) {
    return;
  }

  if (!IsLive(member->state)) {
    if (IsLive(record.state)) Tell(member->slot, now);  // it is dead here and should refute
    return;
  }
  bool accused = false;
  if (record.state == MemberState::kSuspect) {
    for (const std::uint32_t accuser : std::span(item.accusers).first(item.accuser_count)) {
      if (accuser == record.id.slot) continue;
      accused |= Accuse(*member, accuser, teller, Evidence::kHearsay, now);
    }
  } else if (!IsLive(record.state)) {
    accused = Accuse(*member, teller.slot, teller, Evidence::kHearsay, now);
  }
  // Also when anti-entropy told it: the suspect must hear of it.
  if (accused) {
    news_.Add(member->slot, table_.live_count());
  } else if (!bulk && known_before && IsWhatWeTell(item, *member)) {
    news_.HeardAgain(member->slot);
  }
}

bool Membership::IsWhatWeTell(const NewsItem& item, const Member& member) const {
  if (item.record.state != member.state) return false;
  const Suspicion* const suspicion = suspicions_.Find(member.slot);
  return suspicion == nullptr || item.accuser_count >= suspicion->accuser_count;
}

bool Membership::MergeDirect(Member& member, std::uint32_t incarnation, Instant now) {
  if (incarnation > member.incarnation) {
    if (incarnation >= kIncarnationMax) return true;
    Record record = member.record();
    record.incarnation = incarnation;
    Revive(member, record, Evidence::kContact, member.id(), false, now);
    return true;
  }
  return member.state == MemberState::kAlive;
}

Member* Membership::Prove(const Record& record, Instant now) {
  if (record.id.slot >= table_.slots() || record.incarnation >= kIncarnationMax) return nullptr;
  Member* member = table_.Find(record.id.slot);
  if (member == nullptr) {
    member = &table_.Add(record);
    news_.Add(member->slot, table_.live_count());
    Emit(EventKind::kJoined, Evidence::kContact, record.id, record.id, record.incarnation, now);
  } else if (member->boot != record.id.boot) {
    if (!IsLater(record, *member)) return nullptr;
    Revive(*member, record, Evidence::kContact, record.id, false, now);
  } else {
    if (member->fingerprint == 0) member->fingerprint = record.fingerprint;
    MergeDirect(*member, record.incarnation, now);
  }
  return member;
}

bool Membership::IsTeller(std::uint32_t slot) const {
  constexpr std::uint64_t kTellers = 8;
  const std::uint64_t draw =
      std::uint64_t{slot * 0x9e3779b1U ^ self_.id.slot * 0x85ebca6bU} * table_.live_count() >> 32;
  return draw < kTellers;
}

bool Membership::Accuse(Member& member, std::uint32_t accuser, const MemberId& reporter,
                        Evidence evidence, Instant now, const Witnesses& probes) {
  const std::uint32_t others = table_.live_count() > 2 ? table_.live_count() - 2 : 1;
  if (!suspicions_.Accuse(member.id(), member.incarnation, accuser, others, now)) return false;
  if (member.state == MemberState::kAlive) {
    table_.SetState(member, MemberState::kSuspect);
    // The suspect hears it first: from who accuses it, and from a few others.
    if (accuser == self_.id.slot || IsTeller(member.slot)) Tell(member.slot, now);
  }
  Event& event =
      Emit(EventKind::kSuspected, evidence, member.id(), reporter, member.incarnation, now);
  event.witnesses = probes;
  const Suspicion& suspicion = *suspicions_.Find(member.slot);
  NoteAccusers(std::span(suspicion.accusers).first(suspicion.accuser_count), event.witnesses);
  return true;
}

void Membership::AccuseOnOwnEvidence(const MemberId& id, const Witnesses& probes, Instant now) {
  Member* const member = table_.Find(id);
  if (member == nullptr || !IsLive(member->state)) return;
  if (Accuse(*member, self_.id.slot, self_.id, Evidence::kProbesUnanswered, now, probes)) {
    news_.Add(member->slot, table_.live_count());
  }
}

void Membership::Die(Member& member, Evidence evidence, const Suspicion* suspicion, Instant now) {
  const MemberState end = evidence == Evidence::kOwnWord ? MemberState::kLeft : MemberState::kDead;
  suspicions_.Clear(member.slot);
  table_.SetState(member, end);
  tombstones_.push_back({member.id(), now});
  if (end == MemberState::kDead) {
    news_.Remove(member.slot);
  } else {
    news_.Add(member.slot, table_.live_count());
  }
  Event& event =
      Emit(end == MemberState::kLeft ? EventKind::kLeft : EventKind::kDied, evidence, member.id(),
           end == MemberState::kLeft ? member.id() : self_.id, member.incarnation, now);
  if (suspicion == nullptr) return;
  NoteAccusers(std::span(suspicion->accusers).first(suspicion->accuser_count), event.witnesses);
}

void Membership::MarkLeft(Member& member, Instant now) {
  if (IsLive(member.state)) Die(member, Evidence::kOwnWord, nullptr, now);
}

void Membership::HandleTimeout(Instant now) {
  for (const Suspicion& expired : suspicions_.TakeExpired(now)) {
    Member* const member = table_.Find(expired.id);
    if (member == nullptr || member->state != MemberState::kSuspect) continue;
    if (IsInContact(*member, now)) {
      // Others may not reach it; we do. It will refute when it hears of it.
      table_.SetState(*member, MemberState::kAlive);
      Emit(EventKind::kRefuted, Evidence::kStillHeard, member->id(), self_.id, member->incarnation,
           now);
    } else {
      Die(*member, Evidence::kSuspicionExpired, &expired, now);
    }
  }
  if (now < next_purge_) return;
  next_purge_ = now + kPurgeInterval;
  const auto old = std::ranges::find_if(
      tombstones_, [&](const Tombstone& t) { return now - t.since <= tunables_.tombstone; });
  for (const Tombstone& tombstone : std::ranges::subrange(tombstones_.begin(), old)) {
    const Member* const member = table_.Find(tombstone.id);
    if (member == nullptr || IsLive(member->state)) continue;
    news_.Remove(member->slot);
    table_.Remove(member->slot);
  }
  tombstones_.erase(tombstones_.begin(), old);
}

void Membership::RestartVerdicts(Instant now) { suspicions_.Restart(now); }

NewsItem Membership::ItemFor(std::uint32_t slot) const {
  NewsItem item;
  if (slot == self_.id.slot) {
    item.record = self_;
    return item;
  }
  item.record = table_.Find(slot)->record();
  if (const Suspicion* const suspicion = suspicions_.Find(slot)) {
    item.accuser_count = suspicion->accuser_count;
    item.accusers = suspicion->accusers;
  }
  return item;
}

Instant Membership::next() const { return std::min(suspicions_.next(), next_purge_); }

}  // namespace radix::flock
