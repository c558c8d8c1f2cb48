#include <algorithm>
#include <array>

#include "services/flock/anti_entropy.h"
#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

// What answering HELLOs may cost: one answer is 50 us of work; a tenth of a core, with bursts.
constexpr Duration kHelloCost = 500us;
constexpr Duration kDoorBudgetMax = 200ms;
// Without the acknowledgement of everybody in contact, the next key is used after so long anyway.
constexpr Duration kAcknowledgeAtMost = 5s;
constexpr Duration kRotationInterval = 500ms;
constexpr std::size_t kPairKeysMax = 32;
// Members told of a new ring by whoever got it; the rest hears of it from them.
constexpr int kRingNotices = 3;

}  // namespace

bool Flock::Node::WithinDoorBudget(Instant now) {
  door_budget_ = std::min(kDoorBudgetMax, door_budget_ + (now - door_filled_at_));
  door_filled_at_ = now;
  if (door_budget_ < kHelloCost) return false;
  door_budget_ -= kHelloCost;
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
  if (leaving_ || !WithinDoorBudget(now)) {
    ++counters_.dropped_budget;
    return;
  }
  Welcome welcome;
  welcome.sender = membership_.self();
  welcome.beat.incarnation = welcome.sender.incarnation;
  welcome.beat.ring_tag = ring_.current().tag;
  welcome.beat.view_hash = membership_.table().view_hash();
  welcome.public_key = pair_keys_.public_key();
  welcome.counter = membership_.table().PeekCounter(header.sender.slot);
  const Member* const held = membership_.table().Find(header.sender.slot);
  if (held != nullptr && (held->boot != header.sender.boot || held->state != MemberState::kAlive)) {
    welcome.about_you = held->record();
  }
  welcome.secondary_keys = secondary_.keys();
  std::array<std::uint8_t, KeyRing::kEncodedSizeMax> ring;
  Writer out(ring);
  ring_.Encode(out);
  welcome.ring.assign(out.written().begin(), out.written().end());
  std::array<std::uint8_t, Handshake::kHelloSize> datagram;
  const std::size_t size =
      handshake_.WriteWelcome(*hello, welcome, DestinationOf(header.sender), now, datagram);
  if (size > 0) outbox_.Push(header.sender.slot, std::span(datagram).first(size));
}

void Flock::Node::HandleWelcome(const Header& header, std::span<const std::uint8_t> bytes,
                                Instant now) {
  const auto welcome = handshake_.OpenWelcome(header, DestinationOf(self_), bytes, now);
  if (!welcome || FingerprintOf(welcome->public_key) != welcome->sender.fingerprint) {
    ++counters_.dropped_unauthenticated;
    return;
  }
  ++counters_.accepted;
  last_authentic_ = now;
  away_since_ = kNever;
  // Who follows a leader takes keys only from it.
  const SecondaryRing theirs(welcome->secondary_keys);
  if (!granter_.grant(now) && IsLater(theirs, secondary_)) {
    TakeSecondary(theirs, header.sender, 0, now);
  }
  MergeRing(welcome->ring, now);
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
  Contact& contact = membership_.table().Open(*member);
  if (!contact.proven) {
    contact.proven = true;
    contact.window.StartAt(welcome->counter);
    contact.proven_at = welcome->counter;
  }
  contact.heard_at = contact.hears_us_at = now;
  contact.ring_tag = welcome->beat.ring_tag;
  if (welcome->beat.view_hash != membership_.table().view_hash()) differed_at_ = now;
  if (member->state != MemberState::kAlive) {
    SendPing(sender, prober_.NextSequence(), now, membership_.ItemFor(sender.slot));
    return;
  }
  // Makes itself known there, and asks for what it lacks.
  std::array<std::uint8_t, kSummaryBytesMax> hashes;
  Writer summary(hashes);
  EncodeSummary(membership_.table(), 0, summary);
  Writer body = Begin(sender, now);
  Append(Ping{tokens_.For(sender, now), prober_.NextSequence(), 0}, body);
  Append(Summary{0, summary.written()}, body);
  SendGroup(sender, body, now);
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
  if (const auto grant = granter_.grant(now)) return grant->promise.holder == member;
  if (const auto leader = KnownLeader(now)) return leader->leader == member;
  return provisional_ == member;
}

void Flock::Node::HandleRing(const Incoming& packet, Instant now) {
  if (!packet.body.ring.empty() && TakesKeysFrom(packet.sender, now)) {
    MergeRing(packet.body.ring, now);
    Writer body = Begin(packet.sender, now);
    AppendRingAck(ring_.version(), body);
    SendPair(packet.sender, body);
  }
  if (packet.body.ring_ack) {
    MemberTable& table = membership_.table();
    table.Open(*table.Find(packet.sender)).ring_ack = *packet.body.ring_ack;
  }
}

void Flock::Node::MergeRing(std::span<const std::uint8_t> ring, Instant now) {
  const std::uint32_t before = ring_.current().tag;
  ring_.Merge(ring, now);
  if (ring_.current().tag == before) return;
  Emit(EventKind::kKeyChanged, Evidence::kNone, ring_.current().id.minter, self_,
       ring_.current().id.epoch, ring_.current().tag, now);
  for (int i = 0; i < kRingNotices; ++i) {
    const Member* const peer = RandomPeer();
    if (peer != nullptr) SendPing(peer->id(), prober_.NextSequence(), now);
  }
}

void Flock::Node::TickRotation(Instant now) {
  if (now < next_rotation_) return;
  next_rotation_ = now + kRotationInterval;
  const auto leader = KnownLeader(now);
  const MemberId& keeper = leader ? leader->leader : provisional_;
  if (keeper != self_) return;
  if (!ring_.next() && now - ring_.current_since() >= config_.tunables.key_period) {
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
    if (!contact.proven || !IsLive(member.state)) continue;
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
