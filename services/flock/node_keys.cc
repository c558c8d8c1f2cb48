#include <algorithm>
#include <array>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

// What answering HELLOs may cost: a WELCOME is 50 us of work, a RETRY less than 5 us; a tenth of a
// core, with bursts.
constexpr Duration kWelcomeCost = 500us;
constexpr Duration kRetryCost = 50us;
constexpr Duration kDoorBudgetMax = 200ms;
// Without the acknowledgement of everybody in contact, the next key is used after so long anyway.
constexpr Duration kAcknowledgeAtMost = 5s;
constexpr Duration kRotationInterval = 500ms;
// Who stood still takes the keys that it finds for so long, whomever it follows: others may use
// none of its own any more.
constexpr Duration kWakesUp = 3s;
constexpr std::size_t kPairKeysMax = 32;
// Members told of a new ring by whoever got it; the rest hears of it from them.
constexpr std::size_t kRingNotices = 3;
// So few members fit into a WELCOME, if the sender's ring is new.
constexpr std::size_t kFew = 9;
// So many records fit into the answer to a WELCOME.
constexpr std::size_t kLackedMax = 40;
// After so long the same one is asked for its ring again, and another one. Whoever lies about its
// ring keeps nobody from learning of the true one for longer.
constexpr Duration kAskSameForRing = 200ms;
constexpr Duration kAskOtherForRing = 50ms;

}  // namespace

bool Flock::Node::WithinDoorBudget(Duration cost, Instant now) {
  door_budget_ = std::min(kDoorBudgetMax, door_budget_ + (now - door_filled_at_));
  door_filled_at_ = now;
  if (door_budget_ < cost) return false;
  door_budget_ -= cost;
  return true;
}

void Flock::Node::HandleHello(const Header& header, std::span<const std::uint8_t> bytes,
                              Instant now) {
  const auto hello = handshake_.OpenHello(header, DestinationOf(self_), bytes);
  if (!hello) {
    if (secondary_.Find(header.key_tag) == nullptr) ++counters_.dropped_unknown_key;
    ++counters_.dropped_unauthenticated;
    return;
  }
  if (!Admits(*hello, now)) return;
  std::array<std::uint8_t, kDatagramSizeMax> datagram;
  const Destination to = DestinationOf(header.sender);
  if (!hello->proof) {
    const std::uint64_t token = tokens_.ForDoor(header.sender, now);
    outbox_.Push(header.sender.slot, std::span(datagram).first(handshake_.WriteRetry(
                                         *hello, self_, token, to, datagram)));
    return;
  }
  ProveByHello(*hello, now);
  // From now on its own is compared as any other: where two let each other in at once, each would
  // else take the other's.
  if (hello->proof->takes_ring) has_own_ring_ = false;
  Welcome welcome;
  welcome.sender = membership_.self();
  welcome.beat.incarnation = welcome.sender.incarnation;
  welcome.beat.ring_tag = ring_.current().tag;
  welcome.beat.view_hash = membership_.table().view_hash();
  if (membership_.table().IsProven(header.sender)) welcome.beat.flags = Beat::kHearsYou;
  welcome.token = tokens_.For(header.sender, now);
  welcome.counter = membership_.table().TakeCounter(header.sender.slot);
  const Member* const held = membership_.table().Find(header.sender.slot);
  if (held != nullptr && (held->boot != header.sender.boot || held->state != MemberState::kAlive)) {
    welcome.about_you = held->record();
  }
  // Who used the only one there is has it.
  if (secondary_.keys().size() > 1 || secondary_.current().tag != hello->key_tag) {
    welcome.secondary_keys = secondary_.keys();
  }
  std::array<std::uint8_t, KeyRing::kEncodedSizeMax> ring;
  Writer out(ring);
  ring_.Encode(out);
  welcome.ring.assign(out.written().begin(), out.written().end());
  const bool few = membership_.table().live_count() <= kFew;
  if (few) welcome.others = Others(header.sender.slot);
  Member* const member = membership_.table().Find(header.sender);
  // It will have the same view; or tell at once what else it knows.
  if (few && member != nullptr && IsProven(*member)) {
    membership_.table().Open(*member).view = static_cast<std::uint16_t>(welcome.beat.view_hash);
  }
  const std::size_t size = handshake_.WriteWelcome(*hello, welcome, to, now, datagram);
  if (size == 0) return;
  outbox_.Push(header.sender.slot, std::span(datagram).first(size));
}

// Whether it is to be answered. What is not costs little, and uses up nothing of the budget.
bool Flock::Node::Admits(const Hello& hello, Instant now) {
  const auto& proof = hello.proof;
  if (proof && revoked_.Contains(proof->fingerprint) && !IsBroken(Rule::kNobodyLetsTheRevokedIn)) {
    ++counters_.dropped_revoked;
    return false;
  }
  if (proof && !tokens_.OpensDoor(proof->token, hello.sender, now)) {
    ++counters_.dropped_unproven;
    return false;
  }
  if (WasHeard(hello) || !handshake_.TakeOnce(hello)) {
    ++counters_.dropped_replayed;
    return false;
  }
  if (leaving_ || !WithinDoorBudget(proof ? kWelcomeCost : kRetryCost, now)) {
    ++counters_.dropped_budget;
    return false;
  }
  return true;
}

// As far as the windows of those tell who were let in.
bool Flock::Node::WasHeard(const Hello& hello) const {
  if (!hello.proof) return false;
  const MemberTable& table = membership_.table();
  const Member* const known = table.Find(hello.sender.slot);
  if (known != nullptr && known->boot == hello.sender.boot && IsProven(*known)) {
    return !table.ContactOf(*known).window.IsFresh(hello.proof->counter);
  }
  return table.WasSeen(hello.sender, hello.proof->counter);
}

// The author of a HELLO with a token, which was not heard before, shows that it is there now, as
// one does who acknowledges a ping.
void Flock::Node::ProveByHello(const Hello& hello, Instant now) {
  MemberTable& table = membership_.table();
  const HelloProof& proof = *hello.proof;
  const bool proven = table.IsProven(hello.sender);
  Member* const member = membership_.Prove(
      Record{hello.sender, proof.incarnation, MemberState::kAlive, proof.fingerprint}, now);
  // Another boot of its slot is held for later: it reads that in the WELCOME, and tops it.
  if (member == nullptr) return;
  Contact& contact = proven ? table.Open(*member) : table.Acquaint(*member, proof.counter);
  contact.window.Accept(proof.counter);
  contact.heard_at = now;
  ++counters_.accepted;
  last_authentic_ = now;
  away_since_ = kNever;
  handshake_.Withdraw(hello.sender.slot);
}

std::vector<Record> Flock::Node::Others(std::uint32_t but) const {
  std::vector<Record> others;
  const MemberTable& table = membership_.table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Member& member = table.at(i);
    if (!IsLive(member.state) || member.slot == self_.slot || member.slot == but) continue;
    others.push_back(member.record());
    others.back().state = MemberState::kAlive;  // suspicions travel as news, with their accusers
  }
  return others;
}

void Flock::Node::HandleWelcome(const Header& header, std::span<const std::uint8_t> bytes,
                                Instant now) {
  const auto welcome = handshake_.OpenWelcome(header, DestinationOf(self_), bytes, now);
  if (!welcome) {
    ++counters_.dropped_unauthenticated;
    return;
  }
  if (revoked_.Contains(welcome->sender.fingerprint)) {
    ++counters_.dropped_revoked;
    return;
  }
  ++counters_.accepted;
  last_authentic_ = now;
  away_since_ = kNever;
  // Who follows a leader takes keys only from it.
  if (!welcome->secondary_keys.empty() && !granter_.grant(now)) {
    const SecondaryRing theirs(welcome->secondary_keys);
    if (IsLater(theirs, secondary_)) TakeSecondary(theirs, header.sender, 0, now);
  }
  TakeRingOfWelcome(*welcome, now);
  const MemberId& sender = welcome->sender.id;
  if (welcome->about_you && welcome->about_you->id.slot == self_.slot) {
    NewsItem item;
    item.record = *welcome->about_you;
    membership_.MergeHearsay(item, sender, true, now);
  }
  Member* const member = membership_.Prove(welcome->sender, now);
  if (member == nullptr) {
    // Another boot of its slot is held for later: it has to hear of that, and top it. It may not
    // have our key, and we have none of it on a list; but it just told us its own.
    SendPing(sender, prober_.NextSequence(), now, membership_.ItemFor(sender.slot),
             welcome->beat.ring_tag);
    return;
  }
  HearWelcome(*member, *welcome, now);
  if (member->state != MemberState::kAlive) {
    SendPing(sender, prober_.NextSequence(), now, membership_.ItemFor(sender.slot));
    return;
  }
  // Who knows nobody but the sender has nobody to tell of these.
  const bool alone = membership_.table().contact_count() < 2;
  for (const Record& other : welcome->others) {
    NewsItem item;
    item.record = other;
    membership_.MergeHearsay(item, sender, alone, now);
  }
  const bool known_there = (welcome->beat.flags & Beat::kHearsYou) != 0;
  const bool same_view = welcome->beat.view_hash == membership_.table().view_hash();
  const bool same_key = welcome->beat.ring_tag == ring_.current().tag;
  if (known_there && same_view && same_key) return;
  // Makes itself known there. If it knows what they lack it tells them; else it asks.
  const std::vector<Record> lacked = LackedBy(*welcome);
  Writer body = Begin(sender, now);
  if (!known_there) Append(Ack{welcome->token, 0}, body);
  // Who keeps another key says so, and lets the other ask for it.
  if (!same_key) Append(Ping{tokens_.For(sender, now), prober_.NextSequence(), 0}, body);
  if (!lacked.empty()) {
    AppendRecords(lacked, body);
    membership_.table().Open(*member).view =
        static_cast<std::uint16_t>(membership_.table().view_hash());
  } else {
    if (!known_there) AppendRecords(std::span(&membership_.self(), 1), body);
    if (!known_there || !same_view) AppendDigest(0, body);
  }
  SendGroup(sender, body, now);
}

void Flock::Node::HearWelcome(Member& member, const Welcome& welcome, Instant now) {
  Contact& contact = membership_.table().Open(member);
  if (!contact.proven) membership_.table().Acquaint(member, welcome.counter);
  // Another member counted in its name, if it could send from its address. This is its own word.
  if (contact.window.IsAheadOf(welcome.counter)) contact.window.StartAt(welcome.counter);
  contact.heard_at = contact.hears_us_at = now;
  contact.ring_tag = welcome.beat.ring_tag;
  contact.view = static_cast<std::uint16_t>(welcome.beat.view_hash);
  if (welcome.beat.view_hash != membership_.table().view_hash()) differed_at_ = now;
}

// What is known here and not there, after the WELCOME was heeded; nothing if that cannot be told
// from it.
std::vector<Record> Flock::Node::LackedBy(const Welcome& welcome) const {
  std::vector<Record> lacked;
  const MemberTable& table = membership_.table();
  if (table.live_count() > kLackedMax) return {};
  std::uint64_t difference = table.view_hash() ^ welcome.beat.view_hash;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Member& member = table.at(i);
    const MemberId id = member.id();
    const bool there =
        id == welcome.sender.id || (id == self_ && (welcome.beat.flags & Beat::kHearsYou) != 0) ||
        std::ranges::any_of(welcome.others, [&](const Record& r) { return r.id == id; });
    if (!IsLive(member.state) || there) continue;
    lacked.push_back(member.record());
    lacked.back().state = MemberState::kAlive;  // suspicions travel as news, with their accusers
    difference ^= MemberTable::PartOfViewHash(member);
  }
  // The hash says that nothing else differs.
  return difference == 0 ? lacked : std::vector<Record>();
}

void Flock::Node::HandleRetry(const Header& header, std::span<const std::uint8_t> bytes,
                              Instant now) {
  const auto token = handshake_.OpenRetry(header, DestinationOf(self_), bytes, now);
  if (!token) {
    ++counters_.dropped_unauthenticated;
    return;
  }
  ++counters_.accepted;
  SendHello(header.sender.slot, now, token);
  discovery_.HandleAnswer(header.sender.slot, now);  // should it get lost
}

void Flock::Node::HandleKeyTell(const Incoming& packet, Instant now) {
  const auto& told = packet.body.key_tell;
  if (!told || pair_keys_.Find(packet.sender) != nullptr) return;
  const Member* const member = membership_.table().Find(packet.sender);
  if (FingerprintOf(told->public_key) != member->fingerprint) return;
  const std::size_t limit =
      Stands() ? std::max(kPairKeysMax, membership_.table().size()) : kPairKeysMax;
  pair_keys_.Learn(packet.sender, told->public_key, limit);
  static_cast<void>(now);
}

bool Flock::Node::TakesKeysFrom(const MemberId& member, Instant now) const {
  if (IsRevoked(member)) return false;
  if (const auto grant = granter_.grant(now)) return grant->promise.holder == member;
  if (const auto leader = KnownLeader(now)) return leader->leader == member;
  return provisional_ == member;
}

void Flock::Node::HandleRing(const Incoming& packet, Instant now) {
  if (!packet.body.ring.empty() && TakesKeysFrom(packet.sender, now)) {
    TakeRing(packet, now);
    Writer body = Begin(packet.sender, now);
    AppendRingAck(ring_.version(), body);
    SendPair(packet.sender, body);
  }
  if (packet.body.ring_ack) {
    MemberTable& table = membership_.table();
    table.Open(*table.Find(packet.sender)).ring_ack = *packet.body.ring_ack;
  }
}

// It uses a key that this node lacks. Of many who do one is asked at first.
void Flock::Node::AskForRing(const Incoming& packet, Instant now) {
  const std::uint32_t tag = packet.body.beat.ring_tag;
  if (handshake_.IsPending(packet.sender.slot, now, kAskSameForRing)) return;
  if (tag == lacking_ring_ && now - lacking_ring_asked_ < kAskOtherForRing) return;
  lacking_ring_ = tag;
  lacking_ring_asked_ = now;
  // The token of its ping saves a round trip.
  const auto& ping = packet.body.ping;
  SendHello(packet.sender.slot, now, ping ? std::optional(ping->token) : std::nullopt);
}

// Anybody who is let in can send a WELCOME. So its ring is taken, as rings of islands are, only by
// who follows no leader, or slept; for others its keys open, so that both can talk until the leader
// has told its own to everybody.
void Flock::Node::TakeRingOfWelcome(const Welcome& welcome, Instant now) {
  const std::uint32_t before = ring_.current().tag;
  const bool follows =
      granter_.grant(now) && now - woke_at_ > kWakesUp && !IsBroken(Rule::kKeysOnlyFromItsLeader);
  if (follows) {
    ring_.Admit(welcome.ring, now);
  } else if (!has_own_ring_) {
    ring_.Merge(welcome.ring, now);
  } else {
    // A ring that nobody else has stands back: else all of a bloc would change theirs for a
    // newcomer.
    ring_.Adopt(welcome.ring, now);
  }
  TellOfRing(before, welcome.sender.id, now);
}

void Flock::Node::TakeRing(const Incoming& packet, Instant now) {
  const std::uint32_t before = ring_.current().tag;
  if (!granter_.grant(now) && !KnownLeader(now)) {
    ring_.Merge(packet.body.ring, now);
  } else {
    // The leader's word holds, also over greater numbers; but not its word of before.
    if (packet.sender == ring_leader_ && packet.counter < ring_order_) return;
    ring_leader_ = packet.sender;
    ring_order_ = packet.counter;
    ring_.Follow(packet.body.ring, now);
  }
  TellOfRing(before, packet.sender, now);
}

// If it took another one from `from`.
void Flock::Node::TellOfRing(std::uint32_t before, const MemberId& from, Instant now) {
  if (ring_.current().tag == before) return;
  has_own_ring_ = false;
  Emit(EventKind::kKeyChanged, Evidence::kNone, ring_.current().id.minter, self_,
       ring_.current().id.epoch, ring_.current().tag, now);
  for (const MemberId& peer : RandomContacts(kRingNotices)) {
    if (peer == from) continue;
    Writer body = Begin(peer, now);
    // Its token lets the other ask for the ring without a RETRY; who has it says nothing.
    Append(Ping{tokens_.For(peer, now), 0, Ping::kForTheDoor}, body);
    AppendNewsTo(body, peer, kNewsOnOthers);
    // Who was let in, and said nothing since, has the key of before: nobody else may tell it.
    const Member& member = *membership_.table().Find(peer.slot);
    const bool silent = membership_.table().ContactOf(member).ring_tag == 0;
    SendGroup(peer, body, now, silent ? before : 0);
  }
}

void Flock::Node::TickRotation(Instant now) {
  if (now < next_rotation_) return;
  next_rotation_ = now + kRotationInterval;
  const auto leader = KnownLeader(now);
  const MemberId& keeper = leader ? leader->leader : provisional_;
  if (keeper != self_) return;
  const bool is_old = now - ring_.current_since() >= config_.tunables.key_period;
  if (!ring_.next() && (is_old || rotations_due_ > 0)) {
    rotations_due_ = std::max(0, rotations_due_ - 1);
    ring_.Prepare(candidacy_.sealed_epoch(), self_, secrets_.NextKey());
    key_prepared_at_ = now;
  }
  const std::uint32_t version = ring_.version();
  bool acknowledged = true;
  std::array<std::uint8_t, KeyRing::kEncodedSizeMax> encoded;
  Writer ring(encoded);
  ring_.Encode(ring);
  MemberTable& table = membership_.table();
  for (std::size_t i = 0; i < table.contact_count(); ++i) {
    const Contact& contact = table.contact_at(i);
    const Member& member = *table.Find(contact.slot);
    if (!contact.proven || !IsLive(member.state) || IsRevoked(member.id())) continue;
    const bool behind =
        ring_.next() ? contact.ring_ack != version
                     : contact.ring_tag != ring_.current().tag && contact.ring_ack != version;
    if (!behind) continue;
    if (membership_.IsInContact(member, now)) acknowledged = false;
    const MemberId to = member.id();
    if (pair_keys_.Find(to) == nullptr) continue;
    Writer body = Begin(to, now);
    AppendRing(ring.written(), body);
    SendPair(to, body);
  }
  if (IsBroken(Rule::kOneKeySlotAtATime)) acknowledged = true;
  if (ring_.next() && (acknowledged || now - key_prepared_at_ > kAcknowledgeAtMost)) {
    ring_.Advance(now);
    Emit(EventKind::kKeyChanged, Evidence::kNone, self_, self_, ring_.current().id.epoch,
         ring_.current().tag, now);
    next_rotation_ = now;  // everybody is told at once
  }
}

}  // namespace radix::flock
