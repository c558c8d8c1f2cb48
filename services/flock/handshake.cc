#include "services/flock/handshake.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "services/flock/key_ring.h"

namespace radix::flock {
namespace {

// One ephemeral serves this long: making one costs as much as using one.
constexpr Duration kEphemeralAge = 10s;
// An answer that comes later is ignored.
constexpr Duration kPendingAge = 3s;

constexpr std::size_t kDoorBodyMax = kDatagramSizeMax - Handshake::kOverhead;
constexpr std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> kZeroNonce{};

// Of the two sides of a WELCOME.
struct Side {
  MemberId id;
  const Key& ephemeral;   // public
  std::uint64_t counter;  // that it used, never twice
};

// What seals the inside of a WELCOME, once: `secret` is one side's, `theirs` the other's public.
std::optional<Key> InnerKey(const Key& secret, const Key& theirs, const Key& secondary,
                            const Side& asker, const Side& answerer) {
  Key shared;
  if (crypto_scalarmult(shared.data(), secret.data(), theirs.data()) != 0) return std::nullopt;
  std::array<std::uint8_t, 32 + 2 * (12 + 32 + 8)> input{};
  Writer out(input);
  out.Bytes(shared);
  for (const Side& side : {asker, answerer}) {
    out.Id(side.id);
    out.Bytes(side.ephemeral);
    out.U64(side.counter);
  }
  Key key;
  crypto_generichash(key.data(), key.size(), input.data(), input.size(), secondary.data(),
                     secondary.size());
  sodium_memzero(input.data(), input.size());
  return key;
}

}  // namespace

void EncodeWelcome(const Welcome& welcome, Writer& out) {
  Encode(welcome.beat, out);
  out.U64(welcome.sender.fingerprint);
  if ((welcome.beat.flags & Beat::kHearsYou) == 0) out.U64(welcome.token);
  out.U8(welcome.about_you ? 1 : 0);
  if (welcome.about_you) Encode(*welcome.about_you, out);
  out.U8(static_cast<std::uint8_t>(welcome.secondary_keys.size()));
  for (const Key& key : welcome.secondary_keys) out.Bytes(key);
  out.U16(static_cast<std::uint16_t>(welcome.ring.size()));
  out.Bytes(welcome.ring);
  for (const Record& other : welcome.others) Encode(other, out);
}

std::optional<Welcome> DecodeWelcome(const MemberId& sender, std::span<const std::uint8_t> bytes) {
  Reader in(bytes);
  Welcome welcome;
  welcome.beat.incarnation = in.U32();
  welcome.beat.flags = in.U8();
  welcome.beat.ring_tag = in.U32();
  welcome.beat.view_hash = in.U64();
  welcome.sender = {sender, welcome.beat.incarnation, MemberState::kAlive, in.U64()};
  if ((welcome.beat.flags & Beat::kHearsYou) == 0) welcome.token = in.U64();
  if (in.U8() != 0) welcome.about_you = DecodeRecord(in);
  const std::uint8_t keys = in.U8();
  if (keys > kSecondaryKeysMax) return std::nullopt;
  for (int i = 0; i < keys; ++i) welcome.secondary_keys.push_back(in.ReadKey());
  const auto ring = in.Bytes(in.U16());
  welcome.ring.assign(ring.begin(), ring.end());
  if (!in.ok() || in.left() % kRecordSize != 0) return std::nullopt;
  while (in.left() > 0) {
    const Record& other = welcome.others.emplace_back(DecodeRecord(in));
    if (other.id.boot == 0 || other.state != MemberState::kAlive) return std::nullopt;
  }
  const bool valid = KeyRing::IsValid(ring) &&
                     (!welcome.about_you || welcome.about_you->state <= MemberState::kLeft);
  if (!valid) return std::nullopt;
  return welcome;
}

Handshake::Handshake(const PacketProtection& protection, const SecondaryRing& ring,
                     KeyStream& secrets)
    : protection_(protection), ring_(ring), secrets_(secrets) {
  secrets_.Fill(hash_secret_);
}

const Handshake::Ephemeral& Handshake::FreshEphemeral(Instant now) {
  if (!ephemeral_.made || now - ephemeral_.since > kEphemeralAge) {
    ephemeral_.secret = secrets_.NextKey();
    crypto_scalarmult_base(ephemeral_.public_key.data(), ephemeral_.secret.data());
    ephemeral_.since = now;
    ephemeral_.made = true;
  }
  return ephemeral_;
}

std::size_t Handshake::WriteHello(const MemberId& self, const Destination& to, Instant now,
                                  const std::optional<HelloProof>& proof,
                                  std::span<std::uint8_t> out) {
  std::erase_if(pending_,
                [&](const Pending& p) { return now - p.at > kPendingAge || p.slot == to.id.slot; });
  if (pending_.size() == kPendingMax) pending_.erase(pending_.begin());
  Pending& pending = pending_.emplace_back();
  pending.slot = to.id.slot;
  pending.nonce = proof ? proof->counter : secrets_.NextNumber();
  pending.at = now;
  pending.has_token = proof.has_value();

  const PacketType type = proof ? PacketType::kTokenHello : PacketType::kHello;
  Writer head(out);
  Encode(Header{type, ring_.current().tag, self, pending.nonce}, head);
  std::array<std::uint8_t, kHelloSize - kOverhead> body{};
  Writer writer(body);
  if (proof) {
    pending.ephemeral = FreshEphemeral(now);
    writer.U64(proof->token);
    writer.U32(proof->incarnation);
    writer.U64(proof->fingerprint);
    writer.U8(proof->takes_ring ? 1 : 0);
    writer.Bytes(pending.ephemeral.public_key);
  }
  return protection_.SealDoor(ring_.current().key, to, 0, out, writer.written());
}

bool Handshake::IsPending(std::uint32_t slot, Instant now, Duration age) const {
  return std::ranges::any_of(pending_,
                             [&](const Pending& p) { return p.slot == slot && now - p.at < age; });
}

void Handshake::Withdraw(std::uint32_t slot) {
  std::erase_if(pending_, [&](const Pending& p) { return p.slot == slot && !p.has_token; });
}

std::optional<Hello> Handshake::OpenHello(const Header& header, const Destination& self,
                                          std::span<const std::uint8_t> datagram) const {
  const Key* const key = ring_.Find(header.key_tag);
  const bool has_token = header.type == PacketType::kTokenHello;
  if (key == nullptr || datagram.size() != (has_token ? kHelloSize : kHelloShort)) {
    return std::nullopt;
  }
  std::array<std::uint8_t, kHelloSize> body;
  const auto opened =
      protection_.OpenDoor(*key, {{self.id.slot, 0}, self.address}, 0, datagram, body);
  if (!opened) return std::nullopt;
  Hello hello{header.sender, header.counter, header.key_tag, std::nullopt, {}};
  if (!has_token) return hello;
  Reader in(*opened);
  HelloProof& proof = hello.proof.emplace();
  proof.token = in.U64();
  proof.counter = header.counter;
  proof.incarnation = in.U32();
  proof.fingerprint = in.U64();
  proof.takes_ring = in.U8() != 0;
  hello.ephemeral = in.ReadKey();
  return hello;
}

bool Handshake::TakeOnce(const Hello& hello) {
  std::array<std::uint8_t, 12 + 8> input{};
  Writer out(input);
  out.Id(hello.sender);
  out.U64(hello.nonce);
  std::uint64_t hash = 0;
  static_assert(crypto_shorthash_BYTES == sizeof(hash));
  static_assert(crypto_shorthash_KEYBYTES == sizeof(hash_secret_));
  crypto_shorthash(reinterpret_cast<std::uint8_t*>(&hash), input.data(), input.size(),
                   hash_secret_.data());
  Recent& recent = recent_[hello.proof ? 1 : 0];
  if (std::ranges::find(recent.hashes, hash) != recent.hashes.end()) return false;
  if (recent.hashes.size() < kRecentMax) {
    recent.hashes.push_back(hash);
  } else {
    recent.hashes[recent.oldest] = hash;
    recent.oldest = (recent.oldest + 1) % kRecentMax;
  }
  return true;
}

std::size_t Handshake::WriteWelcome(const Hello& hello, const Welcome& welcome,
                                    const Destination& to, Instant now,
                                    std::span<std::uint8_t> out) {
  const Key* const secondary = ring_.Find(hello.key_tag);
  if (secondary == nullptr) return 0;
  const Ephemeral& ephemeral = FreshEphemeral(now);
  // The outer body: our ephemeral, then the inner one, sealed. Its key is used this once, since
  // `counter` is, so that its nonce may be zero.
  std::array<std::uint8_t, kDoorBodyMax> body{};
  Writer writer(body);
  writer.Bytes(ephemeral.public_key);
  EncodeWelcome(welcome, writer);
  if (!writer.ok() || writer.room() < kTagSize) {
    if (welcome.others.empty()) return 0;
    Welcome brief = welcome;
    brief.others.clear();
    return WriteWelcome(hello, brief, to, now, out);
  }
  const auto key = InnerKey(ephemeral.secret, hello.ephemeral, *secondary,
                            {hello.sender, hello.ephemeral, hello.nonce},
                            {welcome.sender.id, ephemeral.public_key, welcome.counter});
  if (!key) return 0;
  const std::size_t inner_size = writer.size() - ephemeral.public_key.size();
  std::uint8_t* const inner = body.data() + ephemeral.public_key.size();
  crypto_aead_chacha20poly1305_ietf_encrypt(inner, nullptr, inner, inner_size, nullptr, 0, nullptr,
                                            kZeroNonce.data(), key->data());
  Writer head(out);
  Encode(Header{PacketType::kWelcome, hello.key_tag, welcome.sender.id, welcome.counter}, head);
  return protection_.SealDoor(*secondary, to, hello.nonce, out,
                              std::span(body).first(writer.size() + kTagSize));
}

std::vector<Handshake::Pending>::iterator Handshake::FindPending(std::uint32_t slot, bool has_token,
                                                                 Instant now) {
  return std::ranges::find_if(pending_, [&](const Pending& p) {
    return p.slot == slot && p.has_token == has_token && now - p.at <= kPendingAge;
  });
}

std::size_t Handshake::WriteRetry(const Hello& hello, const MemberId& self, std::uint64_t token,
                                  const Destination& to, std::span<std::uint8_t> out) {
  const Key* const secondary = ring_.Find(hello.key_tag);
  if (secondary == nullptr) return 0;
  Writer head(out);
  Encode(Header{PacketType::kRetry, hello.key_tag, self, token}, head);
  return protection_.SealDoor(*secondary, to, hello.nonce, out, {});
}

std::optional<std::uint64_t> Handshake::OpenRetry(const Header& header, const Destination& self,
                                                  std::span<const std::uint8_t> datagram,
                                                  Instant now) {
  const auto pending = FindPending(header.sender.slot, false, now);
  const Key* const secondary = ring_.Find(header.key_tag);
  if (pending == pending_.end() || secondary == nullptr || datagram.size() != kRetrySize) {
    return std::nullopt;
  }
  std::array<std::uint8_t, kRetrySize> buffer;
  if (!protection_.OpenDoor(*secondary, self, pending->nonce, datagram, buffer)) {
    return std::nullopt;
  }
  pending_.erase(pending);
  return header.counter;
}

std::optional<Welcome> Handshake::OpenWelcome(const Header& header, const Destination& self,
                                              std::span<const std::uint8_t> datagram, Instant now) {
  const auto pending = FindPending(header.sender.slot, true, now);
  const Key* const secondary = ring_.Find(header.key_tag);
  if (pending == pending_.end() || secondary == nullptr) return std::nullopt;
  std::array<std::uint8_t, kDatagramSizeMax> buffer;
  const auto opened = protection_.OpenDoor(*secondary, self, pending->nonce, datagram, buffer);
  if (!opened) return std::nullopt;
  Reader outer(*opened);
  const Key theirs = outer.ReadKey();
  if (!outer.ok() || outer.left() <= kTagSize) return std::nullopt;
  const auto key = InnerKey(pending->ephemeral.secret, theirs, *secondary,
                            {self.id, pending->ephemeral.public_key, pending->nonce},
                            {header.sender, theirs, header.counter});
  if (!key) return std::nullopt;
  const auto sealed = outer.Bytes(outer.left());
  std::array<std::uint8_t, kDatagramSizeMax> inner;
  unsigned long long size = 0;
  if (crypto_aead_chacha20poly1305_ietf_decrypt(inner.data(), &size, nullptr, sealed.data(),
                                                sealed.size(), nullptr, 0, kZeroNonce.data(),
                                                key->data()) != 0) {
    return std::nullopt;
  }
  auto welcome =
      DecodeWelcome(header.sender, std::span(inner).first(static_cast<std::size_t>(size)));
  if (!welcome) return std::nullopt;
  welcome->counter = header.counter;
  pending_.erase(pending);
  return welcome;
}

}  // namespace radix::flock
