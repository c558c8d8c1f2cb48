#include "services/flock/node.h"

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <string>
#include <utility>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

constexpr Duration kStandingInterval = 50ms;
// Nobody grants for a lease after its boot: contact before that is of no use.
constexpr Duration kContactAfter = 1s;
constexpr Duration kContactSlice = 20ms;
// At least this long from one contact ping to the next of a node that only stands by.
constexpr Duration kStandbyPace = 1600us;
// So many answers a second a node takes that is, or may soon be, to lead: to contact pings and, of
// the half of them at least, to requests for leases.
constexpr Duration kAnswerPace = 85us;
constexpr int kAnswersAtOnce = kContactSlice / kAnswerPace;
constexpr Duration kNewsInterval = 100ms;
constexpr Duration kNewsIntervalOfFew = 15ms;
// About so much news fits into one datagram; no more datagrams are sent per interval.
constexpr std::size_t kNewsPerDatagram = 40;
constexpr std::size_t kNewsDatagramsMax = 20;
// A node that authenticated nothing for so long was away itself, or is alone.
constexpr Duration kAwayAfter = 1s;
// Once it tried to come back for so long, its verdicts count again: it is alone.
constexpr Duration kAwayAtMost = 1500ms;
constexpr Duration kAwayHelloInterval = 250ms;
constexpr int kAwayHellos = 4;
// A node that does what is due so much later stood still.
constexpr Duration kStalledAfter = 1s;
constexpr std::size_t kEventsMax = 4096;

// The hash of a text, for keys of rankings and digests: not secret.
std::uint64_t TextHash(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

Flock::Node::Node(Config config, Instant now)
    : config_(std::move(config)),
      self_{config_.slot, config_.boot},
      charter_digest_(TextHash(config_.charter.Canonical())),
      secrets_(config_.entropy),
      random_(secrets_.NextNumber()),
      protection_(config_.charter.bloc),
      ranking_(TextHash(config_.charter.bloc)),
      secondary_(config_.secondary_keys),
      ring_(ranking_, KeyId{0, 0, self_}, secrets_.NextKey(), config_.tunables.key_grace, now),
      pair_keys_(self_, config_.identity_seed, TextHash(config_.charter.bloc)),
      handshake_(protection_, secondary_, secrets_),
      tokens_(secrets_),
      membership_(config_.tunables, config_.charter.ranges.size(), config_.charter.at_most,
                  Record{self_, 1, MemberState::kAlive, FingerprintOf(pair_keys_.public_key())},
                  events_, now),
      discovery_(config_.tunables, config_.charter.ranges.size(), config_.charter.at_most,
                 self_.slot, config_.remembered, now),
      signer_(config_.identity_seed, TextHash(config_.charter.bloc)),
      prober_(config_.tunables, now, random_),
      standing_(config_.tunables, ranking_, config_.charter.quorum, self_),
      revoked_(config_.revoked),
      electorate_(config_.charter.ranges.size(), config_.charter.at_most, charter_digest_),
      rotation_(self_, config_.charter.quorum),
      granter_(config_.tunables, charter_digest_, config_.has_disk, config_.recorded, now),
      candidacy_(config_.tunables, config_.charter.quorum, self_, electorate_),
      provisional_(self_),
      leader_lost_at_(now),
      now_(now),
      ticked_at_(now),
      last_authentic_(now),
      next_away_hello_(now),
      next_sync_(now + random_.Between(0ms, config_.tunables.sync_interval_busy)),
      differed_at_(now),
      next_news_(now),
      next_statements_(now),
      next_signing_(now),
      next_contact_(now + kContactAfter + random_.Between(0ms, kContactSlice)),
      answers_(kAnswerPace, kAnswersAtOnce),
      next_standing_(now + random_.Between(0ms, kStandingInterval)),
      next_asks_(now),
      next_rotation_(now + random_.Between(0ms, 500ms)),
      secondary_stored_(secondary_.version()),
      shut_out_since_(now),
      door_filled_at_(now) {
  standing_.SetRevoked(revoked_);
}

void Flock::Node::HandleTimeout(Instant now) {
  now_ = now = std::max(now_, now);
  if (leaving_) return;
  NoticeLateness(now);
  NoticeAbsence(now);
  membership_.HandleTimeout(now);
  TickDiscovery(now);
  TickConfirmations(now);
  TickProber(now);
  TickStanding(now);
  TickContact(now);
  TickLeadership(now);
  TickRotation(now);
  TickSecondary(now);
  TickSync(now);
  TickNews(now);
  TickStatements(now);
  TickIntroductions(now);
  SendTells(now);
}

Instant Flock::Node::NextTimeout() const {
  if (leaving_) return Instant::max();
  Instant next = std::min({membership_.next(), discovery_.next(), prober_.next(), next_standing_,
                           next_rotation_, next_sync_, introductions_.next()});
  next = std::min(next, key_orders_.next());
  if (rotation_.epoch() != 0) next = std::min(next, rotation_.next());
  if (Stands()) next = std::min(next, next_contact_);
  if (candidacy_.asking_epoch() != 0) next = std::min({next, next_asks_, candidacy_.next()});
  if (!membership_.news_waiting().empty()) next = std::min(next, next_news_);
  const Instant signature = membership_.suspicions().next_signature();
  next = std::min(next, std::max(signature, next_signing_));
  if (!statements_.empty()) next = std::min(next, next_statements_);
  return next;
}

// Nothing else tells a process that starved from a network that lost: to others both look the same.
void Flock::Node::NoticeLateness(Instant now) {
  // What became due only since then, its time may lie before.
  const Duration late = now - std::max(NextTimeout(), std::exchange(ticked_at_, now));
  // An answer that waits so long here, and as long there, comes when its probe has given up; and a
  // refutation may wait unread. On an overloaded machine all are late: were they to accuse each
  // other, all that follows would keep it overloaded for ever.
  if (late >= config_.tunables.probe_timeout / 2) {
    prober_.Restart(now);
    membership_.PutVerdictsOff(late);
  }
  if (late < kStalledAfter) return;
  woke_at_ = now;
  const auto late_ms = static_cast<std::uint64_t>(late / 1ms);
  Emit(EventKind::kStalled, Evidence::kTimerLate, self_, self_, 0, late_ms, now);
}

void Flock::Node::NoticeAbsence(Instant now) {
  if (membership_.table().live_count() < 2) last_authentic_ = now;
  if (now - last_authentic_ < kAwayAfter) return;
  if (away_since_ == kNever) away_since_ = next_away_hello_ = now;
  if (now - away_since_ < kAwayAtMost) {
    prober_.Restart(now);
    membership_.RestartVerdicts(now);
  }
  if (now < next_away_hello_) return;
  next_away_hello_ = now + kAwayHelloInterval;
  for (int i = 0; i < kAwayHellos; ++i) {
    if (const Member* const peer = RandomPeer()) SendHello(peer->slot, now);
  }
}

Member* Flock::Node::RandomPeer() {
  MemberTable& table = membership_.table();
  for (int draws = 0; draws < 16; ++draws) {
    Member& member = table.at(random_.Below(table.size()));
    if (IsLive(member.state) && member.slot != self_.slot) return &member;
  }
  return nullptr;
}

Member* Flock::Node::RandomContact(std::uint8_t without) {
  MemberTable& table = membership_.table();
  for (int draws = 0; draws < 16 && table.contact_count() > 0; ++draws) {
    const Contact& contact = table.contact_at(random_.Below(table.contact_count()));
    if (!contact.proven || (contact.beat_flags & without) != 0) continue;
    Member* const member = table.Find(contact.slot);
    if (IsLive(member->state)) return member;
  }
  return nullptr;
}

bool Flock::Node::ShowsSameView(const Member& member) const {
  const Contact& contact = membership_.table().ContactOf(member);
  return contact.proven &&
         contact.view == static_cast<std::uint16_t>(membership_.table().view_hash());
}

std::vector<MemberId> Flock::Node::RandomContacts(std::size_t most, std::uint8_t without) {
  std::vector<MemberId> contacts;
  for (std::size_t draws = 2 * most + 4; draws > 0 && contacts.size() < most; --draws) {
    const Member* const contact = RandomContact(without);
    if (contact == nullptr) break;
    if (std::ranges::count(contacts, contact->id()) == 0) contacts.push_back(contact->id());
  }
  return contacts;
}

void Flock::Node::TickDiscovery(Instant now) {
  const auto slot = discovery_.Poll(membership_.table(), now, random_);
  if (slot && !handshake_.IsPending(*slot, now, 200ms)) {
    ++counters_.blind_probes;
    SendHello(*slot, now);
  }
}

void Flock::Node::TickProber(Instant now) {
  while (const auto step = prober_.Poll(membership_.table(), self_.slot, now, random_)) {
    using Kind = ProbeStep::Kind;
    if (step->kind == Kind::kAccuse) {
      if (step->confirms) {
        membership_.ConfirmOnOwnEvidence(step->target, step->probes, now);
      } else {
        membership_.AccuseOnOwnEvidence(step->target, step->probes, now);
      }
      continue;
    }
    if (step->kind == Kind::kReport) {
      Writer body = Begin(step->target, now);
      Append(PingReport{step->sequence, false}, body);
      SendGroup(step->target, body, now);
      continue;
    }
    const Member* const target = membership_.table().Find(step->target);
    const bool suspect = target != nullptr && target->state == MemberState::kSuspect;
    SendPing(
        step->target, step->sequence, now,
        suspect ? std::optional<NewsItem>(membership_.ItemFor(step->target.slot)) : std::nullopt);
    if (step->kind == Kind::kIndirect || step->kind == Kind::kDoor) {
      for (std::uint32_t i = 0; i < config_.tunables.indirect_probes; ++i) {
        const Member* const relay = RandomContact();
        if (relay == nullptr || relay->slot == step->target.slot) continue;
        Writer body = Begin(relay->id(), now);
        Append(PingRequest{step->target, step->sequence}, body);
        prober_.NoteRelay(step->sequence, relay->slot);
        SendGroup(relay->id(), body, now);
      }
    }
    if (step->kind == Kind::kDoor) SendHello(step->target.slot, now);
  }
}

void Flock::Node::TickConfirmations(Instant now) {
  membership_.set_confirms(standing_.IsWatched());
  for (const MemberId& id : membership_.TakeConfirmations(prober_.confirmations_left())) {
    prober_.Confirm(id, now);
  }
}

void Flock::Node::TickNews(Instant now) {
  if (membership_.news().empty() || now < next_news_) return;
  const Duration interval = IsSmall() ? kNewsIntervalOfFew : kNewsInterval;
  next_news_ = now + random_.Between(interval * 3 / 4, interval * 5 / 4);
  // Who stands is everybody's contact: it would hear from all, and has their answers to its pings.
  const std::uint8_t without = standing_.all_stand() ? 0 : Beat::kStanding;
  // To three at a time; to more when there is more than fits into three datagrams.
  const std::size_t packets =
      std::clamp<std::size_t>(membership_.news().size() / kNewsPerDatagram, 3, kNewsDatagramsMax);
  bool told = false;
  bool known = false;
  // Only who was heard already would take it.
  for (const MemberId& peer : RandomContacts(packets, without)) {
    // Who has the same view knows all but suspicions.
    if (membership_.suspicions().size() == 0 &&
        ShowsSameView(*membership_.table().Find(peer.slot))) {
      known = true;
      continue;
    }
    Writer body = Begin(peer, now);
    const std::size_t before = body.size();
    AppendNewsTo(body, peer, body.room());
    if (body.size() == before) continue;
    SendGroup(peer, body, now);
    told = true;
  }
  // Where all know it nobody is left to be told: it does not wait for ever.
  if (known && !told) {
    membership_.news().Take([](std::uint32_t) { return News::Telling::kTold; });
  }
}

void Flock::Node::PingContact(const Member& member, Instant now) {
  const MemberId to = member.id();
  const bool keyless = pair_keys_.Find(to) == nullptr;
  const bool answers = !keyless && !candidacy_.IsSilent(to.slot, now);
  Writer body = Begin(to, now);
  Append(Ping{tokens_.For(to, now), prober_.NextSequence(),
              IsProven(member) ? std::uint8_t{0} : Ping::kIntroduceYourself},
         body);
  if (!answers || random_.Below(8) == 0) {
    Append(KeyTell{keyless, pair_keys_.public_key()}, body);
  }
  AppendNewsTo(body, to, kNewsOnOthers);
  SendGroup(to, body, now);
}

bool Flock::Node::NeedsContact(const Member& member, Instant now) {
  if (member.slot == self_.slot || !IsLive(member.state)) return false;
  // Who is asked for a lease, and answers, is heard by that, and hears.
  return candidacy_.asking_epoch() == 0 || candidacy_.IsSilent(member.slot, now) ||
         pair_keys_.Find(member.id()) == nullptr || !membership_.IsInContact(member, now);
}

void Flock::Node::TickContact(Instant now) {
  if (!Stands() || now < next_contact_) return;
  const MemberTable& table = membership_.table();
  const auto size = static_cast<Duration::rep>(table.size());
  const bool asks = candidacy_.asking_epoch() != 0;
  const Duration interval = config_.tunables.contact_interval;
  const Duration pace = asks ? 2 * kAnswerPace : standing_.hurries() ? kAnswerPace : kStandbyPace;
  // Who ranks near it hears it whatever the pace, and so does not stand up for want of a word.
  if (pace * size > interval && now >= next_rivals_) {
    next_rivals_ = now + interval;
    for (const std::uint32_t slot : standing_.FirstRanked()) {
      const Member* const member = table.Find(slot);
      if (member != nullptr && NeedsContact(*member, now)) PingContact(*member, now);
    }
  }
  // Each is looked at once in an interval, and so about a slice's share of them now.
  const Duration::rep looks = (size * kContactSlice + interval - 1ns) / interval;
  Duration::rep looked = 0;
  Duration::rep pinged = 0;
  for (; looked < looks && pinged < kContactSlice / pace && answers_.Has(now); ++looked) {
    const Member& member = table.at(contact_cursor_++ % table.size());
    if (!NeedsContact(member, now)) continue;
    PingContact(member, now);
    answers_.Take(now);
    ++pinged;
  }
  next_contact_ =
      now + (answers_.Has(now) ? std::max(interval * looked / size, pace * pinged) : kContactSlice);
}

void Flock::Node::TickStanding(Instant now) {
  if (now < next_standing_) return;
  next_standing_ = now + kStandingInterval;
  std::optional<MemberId> leader;
  if (const auto known = KnownLeader(now)) leader = known->leader;
  standing_.HearOf(ring_.current().id.minter, now);
  standing_.Update(membership_.table(), leader, now);
  LookAtRivals(now);
  // Who has no vote, or lacks a list that another has, is never sealed, so it must not rank before
  // those who could be.
  counts_quorum_ = Stands() && !candidacy_.StepsBehind(now) && electorate_.HasVote(self_.slot) &&
                   !electorate_.IsContested(now) && !IsRevoked(self_) &&
                   ContactCount(now) >= config_.charter.quorum;
  // The incumbent among provisional leaders is who minted the key that all use.
  const MemberId& minter = ring_.current().id.minter;
  const Member* const incumbent = membership_.table().Find(minter);
  const MemberId first = incumbent != nullptr && IsLive(incumbent->state) && !IsRevoked(minter)
                             ? minter
                             : standing_.first();
  if (first == provisional_) return;
  provisional_ = first;
  Emit(EventKind::kProvisionalLeader, Evidence::kRank, first, self_, 0, 0, now);
}

// Everybody heard who stands just now, so it is the last that anybody probes by chance. But those
// that stand ping each other in each contact interval.
void Flock::Node::LookAtRivals(Instant now) {
  if (!Stands()) return;
  const Tunables& tunables = config_.tunables;
  const MemberTable& table = membership_.table();
  for (const std::uint32_t slot : standing_.FirstRanked()) {
    const Member* const member = slot == self_.slot ? nullptr : table.Find(slot);
    if (member == nullptr || member->state != MemberState::kAlive) continue;
    const Contact& contact = table.ContactOf(*member);
    const bool stood = contact.proven && (contact.beat_flags & Beat::kStanding) != 0;
    const Duration silent = now - contact.heard_at;
    // Who is silent for longer was looked at; others hear it.
    if (stood && silent > 2 * tunables.contact_interval && silent < 2 * tunables.contact_timeout) {
      prober_.LookAt(member->id(), now);
    }
  }
}

std::uint32_t Flock::Node::ContactCount(Instant now) const {
  const MemberTable& table = membership_.table();
  if (IsBroken(Rule::kOnlyContactCounts)) return table.live_count();
  std::uint32_t count = electorate_.HasVote(self_.slot) ? 1 : 0;
  for (std::size_t i = 0; i < table.contact_count(); ++i) {
    const Contact& contact = table.contact_at(i);
    // Those that were heard lately are few enough to be looked up.
    if (now - contact.heard_at < config_.tunables.contact_timeout &&
        electorate_.HasVote(contact.slot)) {
      const Member& member = *table.Find(contact.slot);
      if (membership_.IsInContact(member, now) && !CountsForNothing(member.id())) ++count;
    }
  }
  return count;
}

void Flock::Node::TickIntroductions(Instant now) {
  for (const MemberId& id : introductions_.Due(now)) {
    const Member* const member = membership_.table().Find(id);
    if (member == nullptr || !IsLive(member->state)) continue;
    Writer body = Begin(id, now);
    Append(Ping{tokens_.For(id, now), prober_.NextSequence(),
                IsProven(*member) ? std::uint8_t{0} : Ping::kIntroduceYourself},
           body);
    AppendIntroductionAsk(body);
    SendGroup(id, body, now);
  }
}

bool Flock::Node::RequestIntroduction(std::uint32_t slot, Instant now) {
  now_ = std::max(now_, now);
  const Member* const member = membership_.table().Find(slot);
  if (leaving_ || member == nullptr || !IsLive(member->state) || slot == self_.slot) return false;
  return introductions_.Request(member->id(), now_);
}

void Flock::Node::SendTells(Instant now) {
  for (const std::uint32_t slot : membership_.TakeTells()) {
    const Member* const member = membership_.table().Find(slot);
    if (member == nullptr) continue;
    SendPing(member->id(), prober_.NextSequence(), now, membership_.ItemFor(slot));
  }
  for (const MemberId& id : membership_.TakeDoubts()) {
    if (membership_.table().Find(id.slot) == nullptr) continue;
    SendPing(id, prober_.NextSequence(), now, membership_.ItemFor(id.slot));
  }
  for (const MemberId& id : membership_.TakeReplaced()) prober_.LookAt(id, now);
}

void Flock::Node::Leave(Instant now) {
  now_ = now = std::max(now_, now);
  if (leaving_) return;
  leaving_ = true;
  counts_quorum_ = false;
  granter_.Leave();
  candidacy_.StepDown();
  TickLeadership(now);
  membership_.Leave();
  SendGoodByes(now);
}

std::optional<Transmit> Flock::Node::PollTransmit() {
  const auto entry = outbox_.Poll();
  if (!entry) return std::nullopt;
  ++counters_.sent;
  counters_.sent_bytes += entry->bytes.size();
  return Transmit{entry->slot,
                  Endpoint{config_.charter.ranges.At(entry->slot), config_.charter.port},
                  entry->bytes};
}

std::optional<Event> Flock::Node::PollEvent() {
  if (events_.size() - events_taken_ > kEventsMax) events_taken_ = events_.size() - kEventsMax;
  if (events_taken_ == events_.size()) {
    events_.clear();
    events_taken_ = 0;
    return std::nullopt;
  }
  return std::move(events_[events_taken_++]);
}

void Flock::Node::Emit(EventKind kind, Evidence evidence, const MemberId& subject,
                       const MemberId& reporter, std::uint64_t epoch, std::uint64_t value,
                       Instant now) {
  events_.push_back({kind, evidence, now, subject, reporter, epoch, value});
}

std::vector<std::uint32_t> Flock::Node::PeersToRemember() const {
  constexpr std::size_t kPeers = 64;
  std::vector<std::uint32_t> peers;
  const MemberTable& table = membership_.table();
  // Spread evenly over the slots: those of one rack may all be down tomorrow.
  const std::size_t step = std::max<std::size_t>(1, table.live_count() / kPeers);
  std::size_t seen = 0;
  for (std::uint32_t word = 0; word < table.word_count(); ++word) {
    for (std::uint64_t bits = table.live_bits(word); bits != 0; bits &= bits - 1) {
      const std::uint32_t slot = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      if (slot != self_.slot && seen++ % step == 0 && peers.size() < kPeers) peers.push_back(slot);
    }
  }
  return peers;
}

std::size_t Flock::Node::memory_bytes() const {
  return membership_.table().memory_bytes() + pair_keys_.memory_bytes() +
         candidacy_.memory_bytes() + membership_.suspicions().memory_bytes() +
         membership_.news_waiting().memory_bytes() + membership_.damping().memory_bytes() +
         statements_.memory_bytes();
}

}  // namespace radix::flock
