#include "services/flock/pair_keys.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "services/flock/packet_codec.h"

namespace radix::flock {

PairKeys::PairKeys(const MemberId& self, const Key& identity_seed, std::uint64_t scope)
    : self_(self), scope_(scope) {
  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret{};
  crypto_sign_seed_keypair(public_key_.data(), secret.data(), identity_seed.data());
  crypto_sign_ed25519_sk_to_curve25519(exchange_secret_.data(), secret.data());
  crypto_scalarmult_base(exchange_public_.data(), exchange_secret_.data());
  sodium_memzero(secret.data(), secret.size());
}

PairKeys::~PairKeys() {
  sodium_memzero(exchange_secret_.data(), exchange_secret_.size());
  sodium_memzero(entries_.data(), entries_.size() * sizeof(Entry));
}

std::vector<PairKeys::Entry>::iterator PairKeys::Place(std::uint32_t slot) {
  return std::lower_bound(entries_.begin(), entries_.end(), slot,
                          [](const Entry& entry, std::uint32_t s) { return entry.peer.slot < s; });
}

const Key* PairKeys::Find(const MemberId& peer) {
  const auto place = Place(peer.slot);
  if (place == entries_.end() || place->peer != peer) return nullptr;
  place->used = ++uses_;
  return &place->key;
}

bool PairKeys::Learn(const MemberId& peer, const Key& public_key, std::size_t limit) {
  Key theirs;
  if (crypto_sign_ed25519_pk_to_curve25519(theirs.data(), public_key.data()) != 0) return false;
  Key shared;
  if (crypto_scalarmult(shared.data(), exchange_secret_.data(), theirs.data()) != 0) return false;

  // Both sides must hash the same: the lesser slot comes first.
  const bool first = self_.slot < peer.slot;
  std::array<std::uint8_t, 32 + 12 + 12 + 32 + 32 + 8> input{};
  Writer out(input);
  out.Bytes(shared);
  out.Id(first ? self_ : peer);
  out.Id(first ? peer : self_);
  out.Bytes(first ? exchange_public_ : theirs);
  out.Bytes(first ? theirs : exchange_public_);
  out.U64(scope_);
  Key key;
  crypto_generichash(key.data(), key.size(), input.data(), input.size(), nullptr, 0);
  sodium_memzero(input.data(), input.size());
  sodium_memzero(shared.data(), shared.size());

  auto place = Place(peer.slot);
  if (place != entries_.end() && place->peer.slot == peer.slot) {
    *place = {peer, ++uses_, key};
    return true;
  }
  if (entries_.size() >= std::max<std::size_t>(limit, 1)) {
    entries_.erase(
        std::min_element(entries_.begin(), entries_.end(),
                         [](const Entry& a, const Entry& b) { return a.used < b.used; }));
    place = Place(peer.slot);
  }
  if (entries_.size() == entries_.capacity()) {
    const auto at = place - entries_.begin();
    entries_.reserve(std::max<std::size_t>(8, entries_.size() + entries_.size() / 4));
    place = entries_.begin() + at;
  }
  entries_.insert(place, {peer, ++uses_, key});
  return true;
}

}  // namespace radix::flock
