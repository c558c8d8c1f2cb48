#include "tests/fuzz/insider.h"

#include <algorithm>
#include <string>

#include "services/flock/ranking.h"
#include "tests/fuzz/victim.h"

namespace radix::fuzz {
namespace {

flock::Key SeedOf(const flock::MemberId& id, std::uint8_t what) {
  return flock::Key{static_cast<std::uint8_t>(id.slot), static_cast<std::uint8_t>(id.boot), what};
}

}  // namespace

std::uint64_t TextHash(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

Insider::Insider(const Charter& charter, const flock::MemberId& self,
                 const flock::Key& secondary_key)
    : charter_(charter),
      self_(self),
      secrets_(SeedOf(self, 1)),
      protection_(charter.bloc),
      secondary_({secondary_key}),
      handshake_(protection_, secondary_, secrets_),
      pair_keys_(self, SeedOf(self, 2), TextHash(charter.bloc)),
      ring_(flock::Ranking(TextHash(charter.bloc)), flock::KeyId{0, 0, self}, secrets_.NextKey(),
            24h, Instant(1h)) {}

flock::Destination Insider::DestinationOf(const flock::MemberId& id) const {
  return {id, charter_.ranges.At(id.slot)};
}

flock::Record Insider::record() const {
  return {self_, 1, flock::MemberState::kAlive, flock::FingerprintOf(pair_keys_.public_key())};
}

flock::Beat Insider::HonestBeat() const {
  return {.incarnation = 1,
          .flags = flock::Beat::kHearsYou,
          .ring_tag = victim_tag_,
          .view_hash = view_hash_};
}

bool Insider::Receive(std::span<const std::uint8_t> datagram, Instant now) {
  const auto header = flock::DecodeHeader(datagram);
  if (!header) return false;
  switch (header->type) {
    case flock::PacketType::kHello:
    case flock::PacketType::kTokenHello: {
      const auto hello = handshake_.OpenHello(*header, DestinationOf(self_), datagram);
      if (hello) hello_ = hello;
      return hello.has_value();
    }
    case flock::PacketType::kRetry:
      token_ = handshake_.OpenRetry(*header, DestinationOf(self_), datagram, now);
      return token_.has_value();
    case flock::PacketType::kWelcome: {
      const auto welcome = handshake_.OpenWelcome(*header, DestinationOf(self_), datagram, now);
      if (!welcome) return false;
      victim_ = welcome->sender.id;
      victim_tag_ = welcome->beat.ring_tag;
      ring_.Merge(welcome->ring, now);
      return true;
    }
    default:
      return ReceiveSealed(*header, datagram, now);
  }
}

bool Insider::ReceiveSealed(const flock::Header& header, std::span<const std::uint8_t> datagram,
                            Instant now) {
  const bool pair = header.type == flock::PacketType::kPair;
  const flock::Key* const key =
      pair ? pair_keys_.Find(header.sender) : ring_.Find(header.key_tag, now);
  if (key == nullptr) return false;
  std::array<std::uint8_t, flock::kDatagramSizeMax> opened;
  const auto bytes = protection_.Open(*key, header, DestinationOf(self_), datagram, opened);
  if (bytes.empty()) return false;  // for another boot
  const auto body = flock::DecodeBody(bytes, pair);
  Require(body.has_value(), "what it sends is well-formed");
  victim_tag_ = body->beat.ring_tag;
  view_hash_ = body->beat.view_hash;
  if (body->ping) ping_ = body->ping;
  if (body->ask) ask_ = body->ask;
  if (!body->ring.empty()) ring_.Merge(body->ring, now);
  if (body->key_tell) pair_keys_.Learn(header.sender, body->key_tell->public_key, 8);
  return true;
}

Bytes Insider::Hello(const flock::MemberId& victim, Instant now, bool takes_ring) {
  Bytes datagram(flock::Handshake::kHelloSize);
  const flock::Destination to{{victim.slot, 0}, charter_.ranges.At(victim.slot)};
  std::optional<flock::HelloProof> proof;
  if (token_) proof = {*token_, ++counter_, 1, record().fingerprint, takes_ring};
  token_.reset();
  datagram.resize(handshake_.WriteHello(self_, to, now, proof, datagram));
  return datagram;
}

Bytes Insider::RawHello(const flock::MemberId& victim, std::span<const std::uint8_t> body) {
  // Some bodies fit to their type.
  static_assert((flock::Handshake::kHelloSize - flock::Handshake::kOverhead) % 2 == 1);
  const auto type =
      body.size() % 2 == 0 ? flock::PacketType::kHello : flock::PacketType::kTokenHello;
  const flock::Header header{type, secondary_.current().tag, self_, secrets_.NextNumber()};
  return SealDoor(header, {{victim.slot, 0}, charter_.ranges.At(victim.slot)}, 0, body);
}

Bytes Insider::RawRetry(std::span<const std::uint8_t> body) {
  if (!hello_) return {};
  const flock::Header header{flock::PacketType::kRetry, hello_->key_tag, self_,
                             secrets_.NextNumber()};
  return SealDoor(header, DestinationOf(hello_->sender), hello_->nonce, body);
}

Bytes Insider::SealDoor(const flock::Header& header, const flock::Destination& to,
                        std::uint64_t echo, std::span<const std::uint8_t> body) {
  constexpr std::size_t kOverhead = flock::Handshake::kOverhead;
  body = body.first(std::min(body.size(), flock::kDatagramSizeMax - kOverhead));
  Bytes datagram(body.size() + kOverhead);
  flock::Writer head(datagram);
  Encode(header, head);
  protection_.SealDoor(secondary_.current().key, to, echo, datagram, body);
  return datagram;
}

Bytes Insider::Retry() {
  if (!hello_) return {};
  Bytes datagram(flock::Handshake::kRetrySize);
  datagram.resize(
      handshake_.WriteRetry(*hello_, self_, 77, DestinationOf(hello_->sender), datagram));
  return datagram;
}

Bytes Insider::Welcome(const flock::Welcome& welcome, Instant now) {
  if (!hello_ || !hello_->proof) return {};
  Bytes datagram(flock::kDatagramSizeMax);
  const flock::Destination to = DestinationOf(hello_->sender);
  datagram.resize(handshake_.WriteWelcome(*hello_, welcome, to, now, datagram));
  return datagram;
}

Bytes Insider::Seal(flock::PacketType type, const flock::Key& key, std::uint32_t tag,
                    std::span<const std::uint8_t> body) {
  body = body.first(
      std::min(body.size(), flock::kDatagramSizeMax - flock::kHeaderSize - flock::kTagSize));
  Bytes datagram(flock::kHeaderSize + body.size() + flock::kTagSize);
  const flock::Header header{type, tag, self_, ++counter_};
  flock::Writer head(datagram);
  Encode(header, head);
  std::ranges::copy(body, datagram.begin() + flock::kHeaderSize);
  protection_.Seal(key, header, DestinationOf(victim_), datagram, body.size());
  return datagram;
}

Bytes Insider::Group(std::span<const std::uint8_t> body) {
  const flock::Key* const key = ring_.Find(victim_tag_, Instant(1h));
  if (victim_.boot == 0 || key == nullptr) return {};
  return Seal(flock::PacketType::kGroup, *key, victim_tag_, body);
}

Bytes Insider::Pair(std::span<const std::uint8_t> body) {
  const flock::Key* const key = victim_.boot == 0 ? nullptr : pair_keys_.Find(victim_);
  if (key == nullptr) return {};
  return Seal(flock::PacketType::kPair, *key, 0, body);
}

}  // namespace radix::fuzz
