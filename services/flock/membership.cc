#include "services/flock/membership.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "services/flock/mutant.h"
#include "services/flock/pair_keys.h"

namespace radix::flock {
namespace {

// Who is said to have refuted more often since is asked itself: its own word is believed.
constexpr std::uint32_t kIncarnationJumpMax = 64;
// An earlier boot of this slot may have refuted so often.
constexpr std::uint32_t kPredecessorMax = 1U << 16;
constexpr std::uint32_t kIncarnationMax = 1U << 31;
// What it found itself a node signs so much later where others are to look at once; then only if
// they did not.
constexpr Duration kSignLater = 800ms;
constexpr std::size_t kConfirmationsMax = 4096;
constexpr std::size_t kReplacedMax = 16;
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
      next_purge_(now + kPurgeInterval),
      next_settling_(now + 1s) {
  table_.Add(self);
}

Event& Membership::Emit(EventKind kind, Evidence evidence, const MemberId& subject,
                        const MemberId& reporter, std::uint32_t incarnation, Instant now) {
  if (kind != EventKind::kSuspected && evidence != Evidence::kNotConfirmed) changed_at_ = now;
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

void Membership::Doubt(const MemberId& id, Instant now) {
  if (doubt_pace_.Take(now)) doubts_.push_back(id);
}

std::vector<MemberId> Membership::TakeDoubts() { return std::exchange(doubts_, {}); }

std::vector<MemberId> Membership::TakeReplaced() { return std::exchange(replaced_, {}); }

std::vector<MemberId> Membership::TakeConfirmations(std::size_t most) {
  std::vector<MemberId> taken;
  std::size_t looked = 0;
  for (; looked < confirmations_.size() && taken.size() < most; ++looked) {
    const Member* const member = table_.Find(confirmations_[looked]);
    if (member != nullptr && member->state == MemberState::kSuspect) taken.push_back(member->id());
  }
  confirmations_.erase(confirmations_.begin(),
                       confirmations_.begin() + static_cast<std::ptrdiff_t>(looked));
  return taken;
}

void Membership::Raise(std::uint32_t above, Instant now) {
  if (above < self_.incarnation || above >= kIncarnationMax || !raise_pace_.Take(now)) return;
  self_.incarnation = above + 1;
  table_.Apply(*table_.Find(self_.id.slot), self_);
  news_.Add(self_.id.slot, table_.live_count(), News::Kind::kRefutation);
  changed_at_ = now;
}

void Membership::MergeAboutSelf(const Record& record, std::span<const std::uint32_t> accusers,
                                const MemberId& teller, Instant now) {
  const bool is_self = record.id.boot == self_.id.boot;
  const std::uint32_t jump = is_self ? kIncarnationJumpMax : kPredecessorMax;
  if (record.incarnation > self_.incarnation && record.incarnation - self_.incarnation > jump) {
    return;  // who believes that will ask this node itself
  }
  if (is_self) {
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
  const bool joins = boot_before != member.boot || !IsLive(before);
  const News::Kind kind = joins ? News::Kind::kJoin : News::Kind::kRefutation;
  if (!bulk) news_.Add(member.slot, table_.live_count(), kind);
  if (boot_before != member.boot) {
    Emit(EventKind::kJoined, Evidence::kReplacedByBoot, member.id(), reporter, member.incarnation,
         now)
        .value = boot_before;
  } else if (before == MemberState::kSuspect) {
    damping_.Refuted(member.slot, now);
    Emit(EventKind::kRefuted, evidence, member.id(), reporter, member.incarnation, now);
  } else if (!IsLive(before)) {
    Emit(EventKind::kJoined, evidence, member.id(), reporter, member.incarnation, now);
  } else {
    changed_at_ = now;
  }
}

bool Membership::MergeOtherBoot(Member& member, const Record& record, const MemberId& teller,
                                bool bulk, Instant now) {
  // Whom this node found silent itself may well have been replaced, and have died since.
  const Suspicion* const suspicion = suspicions_.Find(member.slot);
  const bool live = IsLive(member.state);
  const bool silent = !live || (suspicion != nullptr && suspicion->own);
  if (IsInContact(member, now)) return false;
  const bool later = IsLater(record, member);
  // The later one may have died before all had heard of it. Then who still lists the earlier one
  // has to find for itself that it is gone: the others accuse another boot.
  if (later && !silent && replaced_.size() < kReplacedMax) replaced_.push_back(member.id());
  if (!IsLive(record.state) && !(silent && live)) return false;
  if (!silent && !IsBroken(Rule::kABootProvesItself)) {
    // Only one of them can answer.
    if (later || member.contact == 0) Doubt(record.id, now);
    return false;
  }
  if (!later || record.incarnation - member.incarnation > kPredecessorMax) return false;
  Revive(member, record, Evidence::kHearsay, teller, bulk, now);
  return true;
}

// A boot has one key, and shows which it is when it is met itself. Of two that others tell one is a
// lie, so it is asked; until then the first that was heard stands.
void Membership::KeepIdentity(const Member& member, Record& record, Instant now) {
  if (member.fingerprint == record.fingerprint || IsBroken(Rule::kIdentitiesAreProven)) return;
  if (IsLive(member.state) && !table_.ContactOf(member).proven) Doubt(member.id(), now);
  record.fingerprint = member.fingerprint;
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
  if (member != nullptr && member->boot == record.id.boot) KeepIdentity(*member, record, now);
  const bool known_before = member != nullptr && member->boot == record.id.boot &&
                            member->incarnation == record.incarnation;
  if (member == nullptr) {
    if (!IsLive(record.state)) return;
    Record alive = record;
    alive.state = MemberState::kAlive;
    member = &table_.Add(alive);
    if (!bulk) news_.Add(member->slot, table_.live_count(), News::Kind::kJoin);
    Emit(EventKind::kJoined, Evidence::kHearsay, record.id, teller, record.incarnation, now);
  } else if (member->boot != record.id.boot) {
    if (!MergeOtherBoot(*member, record, teller, bulk, now)) return;
  } else if (record.incarnation > member->incarnation) {
    if (record.incarnation - member->incarnation > kIncarnationJumpMax) {
      Doubt(record.id, now);
      return;
    }
    if (!IsLive(record.state) && !IsLive(member->state)) return;
    Revive(*member, record, Evidence::kHearsay, teller, bulk, now);
  } else if (record.incarnation < member->incarnation) {
    // Most often it refuted a moment ago, and not all have heard. A few ask whether that is so: who
    // is told of a refutation that it never made tops it, and all hear that.
    if (member->contact == 0 && IsLive(member->state) && IsTeller(record.id.slot)) {
      Doubt(record.id, now);
    }
    return;
  }

  if (!IsLive(member->state)) {
    if (IsLive(record.state)) Tell(member->slot, now);  // it is dead here and should refute
    return;
  }
  if (!bulk && known_before && record.state == member->state) news_.HeardAgain(member->slot);
  if (record.state == MemberState::kSuspect) {
    for (const std::uint32_t accuser : std::span(item.accusers).first(item.accuser_count)) {
      if (accuser != record.id.slot) Accuse(*member, accuser, teller, Evidence::kHearsay, now);
    }
  } else if (!IsLive(record.state)) {
    Accuse(*member, teller.slot, teller, Evidence::kHearsay, now);
  }
}

bool Membership::MergeDirect(Member& member, std::uint32_t incarnation, bool proves, Instant now) {
  if (incarnation > member.incarnation) {
    if (incarnation >= kIncarnationMax) return true;
    Record record = member.record();
    record.incarnation = incarnation;
    Revive(member, record, Evidence::kContact, member.id(), false, now);
    return true;
  }
  if (incarnation < member.incarnation && proves) {
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
    news_.Add(member->slot, table_.live_count(), News::Kind::kJoin);
    Emit(EventKind::kJoined, Evidence::kContact, record.id, record.id, record.incarnation, now);
  } else if (member->boot != record.id.boot) {
    if (!IsLater(record, *member)) return nullptr;
    Revive(*member, record, Evidence::kContact, record.id, false, now);
  } else {
    if (record.fingerprint != 0) table_.SetFingerprint(*member, record.fingerprint);
    MergeDirect(*member, record.incarnation, true, now);
  }
  return member;
}

bool Membership::IsTeller(std::uint32_t slot) const {
  constexpr std::uint64_t kTellers = 8;
  const std::uint64_t draw =
      std::uint64_t{slot * 0x9e3779b1U ^ self_.id.slot * 0x85ebca6bU} * table_.live_count() >> 32;
  return draw < kTellers;
}

void Membership::Accuse(Member& member, std::uint32_t accuser, const MemberId& reporter,
                        Evidence evidence, Instant now, const Witnesses& probes) {
  if (!suspicions_.Accuse(member.id(), member.incarnation, accuser, now)) return;
  if (member.state == MemberState::kAlive) {
    table_.SetState(member, MemberState::kSuspect);
    // Once, also when anti-entropy told it: one accuser makes others look as well as three.
    news_.Add(member.slot, table_.live_count(), News::Kind::kSuspicion);
    // The suspect hears it first: from who accuses it, and from a few others.
    if (accuser == self_.id.slot || IsTeller(member.slot)) Tell(member.slot, now);
    const bool heard_just_now =
        now - table_.ContactOf(member).heard_at < tunables_.contact_interval * 3 / 2;
    if (confirms_ && accuser != self_.id.slot && !heard_just_now &&
        confirmations_.size() < kConfirmationsMax) {
      confirmations_.push_back(member.id());
    }
  }
  Event& event =
      Emit(EventKind::kSuspected, evidence, member.id(), reporter, member.incarnation, now);
  event.witnesses = probes;
  const Suspicion& suspicion = *suspicions_.Find(member.slot);
  NoteAccusers(std::span(suspicion.accusers).first(suspicion.accuser_count), event.witnesses);
}

void Membership::AccuseOnOwnEvidence(const MemberId& id, const Witnesses& probes, Instant now) {
  Member* const member = table_.Find(id);
  if (member == nullptr || !IsLive(member->state)) return;
  // But who never answered this node may not exist: then another refutes in its name.
  if (table_.ContactOf(*member).proven && damping_.IsInPeace(id.slot, now)) return;
  Accuse(*member, self_.id.slot, self_.id, Evidence::kProbesUnanswered, now, probes);
  // Not all of those at one moment.
  member->unsettled_s = Member::kUnsettled_s;
  const auto spread = static_cast<int>((self_.id.slot * 0x9e3779b1U ^ id.slot) % 400);
  const Instant sign_at = confirms_ ? now : now + kSignLater + spread * 1ms;
  suspicions_.AccuseItself(id, member->incarnation, sign_at, now);
}

void Membership::ConfirmOnOwnEvidence(const MemberId& id, const Witnesses& probes, Instant now) {
  const Member* const member = table_.Find(id);
  if (member == nullptr) return;
  // Else who loses most of what it sends would refute, and be suspected anew at once. But whether
  // somebody exists at all, no refutation tells that others pass on.
  if (member->state == MemberState::kAlive && IsCredible(*member)) return;
  AccuseOnOwnEvidence(id, probes, now);
}

std::uint32_t Membership::unsuspected() const {
  const auto suspected = static_cast<std::uint32_t>(suspicions_.size());
  return table_.live_count() > suspected ? table_.live_count() - suspected : 1;
}

bool Membership::IsCredible(const Member& author) const {
  if (!IsLive(author.state)) return false;
  return author.unsettled_s == 0 || table_.ContactOf(author).proven ||
         IsBroken(Rule::kOnlyTheSettledAccuse);
}

bool Membership::Wants(const Statement& statement) const {
  const Member* const author = table_.Find(statement.author.slot);
  if (author == nullptr || author->id() != statement.author || author->slot == self_.id.slot) {
    return false;
  }
  const bool leaves = statement.kind == StatementKind::kLeaves;
  if (author->fingerprint != FingerprintOf(statement.public_key) &&
      !(leaves && IsBroken(Rule::kOnlyTheOwnerSaysGoodBye))) {
    return false;
  }
  if (leaves) return IsLive(author->state);
  if (!IsCredible(*author)) return false;
  for (std::size_t i = 0; i < statement.accused_count(); ++i) {
    const Accused accused = statement.accused_at(i);
    const Member* const member = table_.Find(accused.slot);
    if (member != nullptr && member != author && IsLive(member->state) &&
        CheckOf(member->record()) == accused.check &&
        suspicions_.Lacks(member->id(), member->incarnation, author->slot)) {
      return true;
    }
  }
  return false;
}

void Membership::Merge(const Statement& statement, const MemberId& teller, Instant now) {
  Member* const author = table_.Find(statement.author);
  if (author == nullptr) return;
  if (statement.kind == StatementKind::kLeaves) {
    if (IsLive(author->state)) Die(*author, Evidence::kOwnWord, nullptr, now);
    return;
  }
  for (std::size_t i = 0; i < statement.accused_count(); ++i) {
    const Accused accused = statement.accused_at(i);
    Member* const member = table_.Find(accused.slot);
    if (member == nullptr || member == author || !IsLive(member->state) ||
        CheckOf(member->record()) != accused.check) {
      continue;
    }
    if (member->slot != self_.id.slot) {
      SignAgainst(*member, statement.author, teller, now);
      continue;
    }
    Record suspected = self_;
    suspected.state = MemberState::kSuspect;
    MergeAboutSelf(suspected, std::span(&statement.author.slot, 1), teller, now);
  }
}

void Membership::SignAgainst(Member& member, const MemberId& signer, const MemberId& teller,
                             Instant now) {
  Accuse(member, signer.slot, teller, Evidence::kSigned, now);
  suspicions_.Sign(member.id(), member.incarnation, signer.slot, unsuspected(), now);
  if (member.state == MemberState::kAlive) table_.SetState(member, MemberState::kSuspect);
  if (suspicions_.Find(member.slot)->signer_count > 1) member.unsettled_s = Member::kUnsettled_s;
}

std::vector<Accused> Membership::TakeAccusations(Instant now) {
  std::vector<Accused> accusations;
  for (const MemberId& id : suspicions_.TakeUnsigned(Statement::kAccusedMax, now)) {
    const Member* const member = table_.Find(id);
    if (member == nullptr || member->state != MemberState::kSuspect) continue;
    // Heard since, it is to be told, and refutes.
    if (table_.ContactOf(*member).heard_at > suspicions_.Find(id.slot)->since) continue;
    accusations.push_back({id.slot, CheckOf(member->record())});
  }
  return accusations;
}

std::optional<Accused> Membership::HeldDead(std::uint32_t slot) const {
  const Member* const member = table_.Find(slot);
  if (member == nullptr || IsLive(member->state)) return std::nullopt;
  return Accused{slot, CheckOf(member->record())};
}

void Membership::Die(Member& member, Evidence evidence, const Suspicion* suspicion, Instant now) {
  const MemberState end = evidence == Evidence::kOwnWord ? MemberState::kLeft : MemberState::kDead;
  suspicions_.Clear(member.slot);
  table_.SetState(member, end);
  tombstones_.push_back({member.id(), now});
  news_.Remove(member.slot);
  Event& event =
      Emit(end == MemberState::kLeft ? EventKind::kLeft : EventKind::kDied, evidence, member.id(),
           end == MemberState::kLeft ? member.id() : self_.id, member.incarnation, now);
  if (suspicion == nullptr) return;
  std::array<std::uint32_t, Witnesses::kAccusersMax> accusers = suspicion->signers;
  std::size_t count = suspicion->signer_count;
  if (suspicion->own && count < accusers.size()) accusers[count++] = self_.id.slot;
  NoteAccusers(std::span(accusers).first(count), event.witnesses);
}

void Membership::CountDownToSettled(Instant now) {
  if (now < next_settling_) return;
  next_settling_ = now + 1s;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    Member& member = table_.at(i);
    if (member.unsettled_s > 0) --member.unsettled_s;
  }
}

void Membership::HandleTimeout(Instant now) {
  CountDownToSettled(now);
  for (const auto& [expired, confirmed] : suspicions_.TakeExpired(unsuspected(), now)) {
    Member* const member = table_.Find(expired.id);
    if (member == nullptr || member->state != MemberState::kSuspect) continue;
    if (!confirmed) {
      table_.SetState(*member, MemberState::kAlive);
      Emit(EventKind::kRefuted, Evidence::kNotConfirmed, member->id(), self_.id,
           member->incarnation, now);
    } else if (IsInContact(*member, now)) {
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

Instant Membership::next() const {
  return std::min({suspicions_.next(), next_purge_, next_settling_});
}

}  // namespace radix::flock
