#include <algorithm>
#include <bit>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

constexpr std::size_t kBodyMax = kDatagramSizeMax - kHeaderSize - kTagSize;

}  // namespace

Destination Flock::Node::DestinationOf(const MemberId& id) const {
  return {id, config_.charter.ranges.At(id.slot)};
}

Writer Flock::Node::Begin(const MemberId& to, Instant now) {
  Writer body(std::span<std::uint8_t>(draft_).subspan(kHeaderSize, kBodyMax));
  Beat beat;
  beat.incarnation = membership_.self().incarnation;
  const Member* const member = membership_.table().Find(to);
  const Instant heard_at =
      member != nullptr ? membership_.table().ContactOf(*member).heard_at : kNever;
  const bool hears_it = now - heard_at < config_.tunables.contact_timeout;
  const bool says_quorum = counts_quorum_ || IsBroken(Rule::kSaysThatItCountsNoQuorum);
  beat.flags = static_cast<std::uint8_t>(
      (says_quorum ? Beat::kCountsQuorum : 0) | (Stands() ? Beat::kStanding : 0) |
      (leaving_ ? Beat::kLeaving : 0) | (hears_it ? Beat::kHearsYou : 0));
  beat.ring_tag = ring_.current().tag;
  beat.view_hash = membership_.table().view_hash();
  Encode(beat, body);
  return body;
}

Writer Flock::Node::BeginAnswer(const Incoming& packet, Instant now,
                                std::span<const Record> records) {
  Writer body = Begin(packet.sender, now);
  const auto& ping = packet.body.ping;
  if (ping) Append(Ack{ping->token, ping->sequence}, body);
  if (!records.empty()) {
    AppendRecords(records, body);
  } else if (ping && (ping->flags & Ping::kIntroduceYourself) != 0) {
    AppendRecords(std::span(&membership_.self(), 1), body);
  }
  if (!packet.proven) {
    Append(Ping{tokens_.For(packet.sender, now), prober_.NextSequence(), Ping::kIntroduceYourself},
           body);
  }
  return body;
}

void Flock::Node::SendSealed(PacketType type, const MemberId& to, const Key& key, std::uint32_t tag,
                             Writer& body) {
  const Header header{type, tag, self_, membership_.table().TakeCounter(to.slot)};
  Writer head(draft_);
  Encode(header, head);
  const std::size_t size = protection_.Seal(key, header, DestinationOf(to), draft_, body.size());
  outbox_.Push(to.slot, std::span(draft_).first(size));
}

void Flock::Node::SendGroup(const MemberId& to, Writer& body, Instant now, std::uint32_t key_tag) {
  // A member that is known to use another key that we hold can open that for sure.
  const Member* const member = membership_.table().Find(to);
  if (key_tag == 0 && member != nullptr) key_tag = membership_.table().ContactOf(*member).ring_tag;
  const Key* key = key_tag == 0 ? nullptr : ring_.Find(key_tag, now);
  if (key == nullptr) {
    key = &ring_.current().key;
    key_tag = ring_.current().tag;
  }
  SendSealed(PacketType::kGroup, to, *key, key_tag, body);
}

void Flock::Node::SendPair(const MemberId& to, Writer& body) {
  const Key* const key = pair_keys_.Find(to);
  if (key != nullptr) SendSealed(PacketType::kPair, to, *key, 0, body);
}

void Flock::Node::SendHello(std::uint32_t slot, Instant now, std::optional<std::uint64_t> token) {
  const Member* const known = membership_.table().Find(slot);
  if (known != nullptr && IsRevoked(known->id())) return;
  std::array<std::uint8_t, Handshake::kHelloSize> datagram;
  std::optional<HelloProof> proof;
  if (token) {
    const Record& self = membership_.self();
    proof = {*token, membership_.table().TakeCounter(slot), self.incarnation, self.fingerprint,
             has_own_ring_ && !granter_.grant(now)};
  }
  const std::size_t size =
      handshake_.WriteHello(self_, DestinationOf({slot, 0}), now, proof, datagram);
  outbox_.Push(slot, std::span(datagram).first(size));
}

void Flock::Node::SendPing(const MemberId& to, std::uint32_t sequence, Instant now,
                           std::optional<NewsItem> news, std::uint32_t key_tag) {
  const bool proven = membership_.table().IsProven(to);
  Writer body = Begin(to, now);
  Append(Ping{tokens_.For(to, now), sequence, proven ? std::uint8_t{0} : Ping::kIntroduceYourself},
         body);
  if (news) {
    AppendNews(std::span(&*news, 1), body);
  } else {
    AppendNewsTo(body, to, kNewsOnOthers);
  }
  SendGroup(to, body, now, key_tag);
}

void Flock::Node::AppendNewsTo(Writer& body, const MemberId& to, std::size_t bytes) {
  const std::size_t room = std::min(bytes, body.room());
  if (membership_.news().empty() || room < kMessageOverhead) return;
  std::array<NewsItem, kDatagramSizeMax / kNewsItemSizeMin> items;
  std::size_t count = 0;
  std::size_t left = room - kMessageOverhead;
  const MemberTable& table = membership_.table();
  const std::size_t most = left / kRecordSize;
  membership_.news().Peek(most, [&](std::uint32_t slot) { table.PrefetchIndex(slot); });
  membership_.news().Peek(most, [&](std::uint32_t slot) { table.PrefetchMember(slot); });
  membership_.news().Take([&](std::uint32_t slot) {
    NewsItem item = membership_.ItemFor(slot);
    if (slot == to.slot && item.record.state == MemberState::kAlive) {
      return News::Telling::kNeedless;
    }
    // Who does not know the suspect by this boot and incarnation has nothing to suspect.
    // One accuser makes it look.
    if (item.record.state == MemberState::kSuspect) {
      item.check = CheckOf(item.record);
      item.accuser_count = std::min<std::uint8_t>(item.accuser_count, 1);
    }
    if (SizeOf(item) > left) return News::Telling::kNoRoom;
    left -= SizeOf(item);
    items[count++] = item;
    return News::Telling::kTold;
  });
  if (count > 0) AppendNews(std::span(items).first(count), body);
}

}  // namespace radix::flock
