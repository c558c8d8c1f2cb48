// The node's identity, and the keys that it shares with one other node each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/confab/fingerprint.h"
#include "services/flock/config.h"
#include "services/flock/member.h"

namespace radix::flock {

using radix::FingerprintOf;  // what records carry of an Ed25519 public key

// Makes and keeps, for some members, the key that only they and this node know: X25519 of the two
// identities, mixed with both boot nonces, so that it is another one after every reboot. A holder
// of the group's keys cannot make it, and so cannot grant a lease in another's name.
class PairKeys {
 public:
  // `self` is this node; `identity_seed` that of its Ed25519 key; `scope` ties keys to the bloc.
  PairKeys(const MemberId& self, const Key& identity_seed, std::uint64_t scope);
  ~PairKeys();
  PairKeys(const PairKeys&) = delete;
  PairKeys& operator=(const PairKeys&) = delete;

  const Key& public_key() const { return public_key_; }

  // The key shared with `peer`, or nullptr if its public key was not learnt. Valid until Learn.
  const Key* Find(const MemberId& peer);

  // Learns the public key of `peer` (65 us). False if it is no valid key. At most `limit` are
  // kept; the least recently used makes room.
  bool Learn(const MemberId& peer, const Key& public_key, std::size_t limit);

  std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  struct Entry {
    MemberId peer;
    std::uint32_t used = 0;  // when, in uses
    Key key{};
  };

  std::vector<Entry>::iterator Place(std::uint32_t slot);

  MemberId self_;
  std::uint64_t scope_;
  Key public_key_{};       // Ed25519
  Key exchange_secret_{};  // X25519
  Key exchange_public_{};
  std::vector<Entry> entries_;  // by slot
  std::uint32_t uses_ = 0;
};

}  // namespace radix::flock
