// HELLO, RETRY and WELCOME: how a node without the transient key gets in.
//
// All are sealed under the bloc's secondary key; what WELCOME brings is sealed once more, under
// X25519 of two ephemeral keys, so that a recording stays closed when the secondary key leaks.
// Most HELLOs go to addresses where nobody is, therefore the first one is short. RETRY answers it,
// is no longer, and brings a token. The HELLO that brings the token back shows that its author
// receives at its address, and does so now: so WELCOME may be longer than that, and the author is
// listed at once. The answerer keeps nothing before. Each HELLO with a token has a counter of its
// author's, as all that is sealed, so that it counts once.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/key_stream.h"
#include "services/flock/packet_codec.h"
#include "services/flock/packet_protection.h"
#include "services/flock/secondary_ring.h"

namespace radix::flock {

// What a HELLO brings that carries a token.
struct HelloProof {
  std::uint64_t token = 0;        // by whoever it goes to
  std::uint64_t counter = 0;      // the author's, towards whoever it goes to
  std::uint32_t incarnation = 0;  // the author's record, but what the header says
  std::uint64_t fingerprint = 0;
  bool takes_ring = false;  // whatever it is: the author shares its own with nobody
};

// A HELLO that opened.
struct Hello {
  MemberId sender;
  std::uint64_t nonce = 0;
  std::uint32_t key_tag = 0;
  // Both, or none: it asks for a token.
  std::optional<HelloProof> proof;
  Key ephemeral{};
};

// What a WELCOME says.
struct Welcome {
  Record sender;  // alive, with the incarnation of the beat, and the fingerprint of the key
  Beat beat;
  Key public_key{};
  std::uint64_t counter = 0;        // the sender's counters towards us begin here
  std::uint64_t token = 0;          // to be echoed in an ack, as that of a ping
  std::optional<Record> about_you;  // what the sender holds about our slot
  std::vector<Key> secondary_keys;  // none: only that of the HELLO
  std::vector<std::uint8_t> ring;   // as KeyRing encodes it
  // All others that the sender lists, where they are few; none otherwise.
  std::vector<Record> others;
};

// The innermost bytes of a WELCOME of `sender`; nullopt if they are malformed. Public for the fuzz
// targets.
void EncodeWelcome(const Welcome& welcome, Writer& out);
std::optional<Welcome> DecodeWelcome(const MemberId& sender, std::span<const std::uint8_t> bytes);

// Both sides of the handshake. Not thread-safe.
class Handshake {
 public:
  // What each has besides its body.
  static constexpr std::size_t kOverhead =
      kHeaderSize + PacketProtection::kDoorNonceSize + kTagSize;
  // A HELLO that asks for a token is as long as the RETRY that brings one.
  static constexpr std::size_t kRetrySize = kOverhead + 8;
  static constexpr std::size_t kHelloShort = kRetrySize;
  static constexpr std::size_t kHelloSize = kOverhead + 8 + 8 + 4 + 8 + 1 + sizeof(Key);

  Handshake(const PacketProtection& protection, const SecondaryRing& ring, KeyStream& secrets);

  // Writes a HELLO from `self` to whoever runs at `to`, and remembers it for its answer: a short
  // one without `proof`, else one that is answered by WELCOME. At most kPendingMax wait; the oldest
  // make room. Returns its size. Requires: room for kHelloSize.
  static constexpr std::size_t kPendingMax = 64;
  std::size_t WriteHello(const MemberId& self, const Destination& to, Instant now,
                         const std::optional<HelloProof>& proof, std::span<std::uint8_t> out);
  // Whether a HELLO to `slot` was sent less than `age` ago and has no answer yet.
  bool IsPending(std::uint32_t slot, Instant now, Duration age) const;
  // Whoever is at `slot` was let in here, and is told all in the WELCOME: to be let in there is no
  // longer needed. What was asked with a token goes on, since both may have done so, and then each
  // of them needs the other's answer.
  void Withdraw(std::uint32_t slot);

  // Opens a HELLO for `self`; nullopt if it is not authentic. Whether the token is valid only who
  // made it can say.
  std::optional<Hello> OpenHello(const Header& header, const Destination& self,
                                 std::span<const std::uint8_t> datagram) const;
  // Whether it came for the first time, as far as the last kRecentMax tell: it is answered once.
  // Those with a token, which must be valid, are kept apart: anybody may send the others again for
  // ever, and nobody is forgotten for that.
  static constexpr std::size_t kRecentMax = 256;
  bool TakeOnce(const Hello& hello);
  // Answers it by `token`. No longer than any HELLO. Requires: room for kRetrySize.
  std::size_t WriteRetry(const Hello& hello, const MemberId& self, std::uint64_t token,
                         const Destination& to, std::span<std::uint8_t> out);
  // Answers one with a token that is valid (46 us); without the others if there is no room for
  // them. Requires: hello.proof, and that welcome.ring is what KeyRing encodes.
  std::size_t WriteWelcome(const Hello& hello, const Welcome& welcome, const Destination& to,
                           Instant now, std::span<std::uint8_t> out);
  // Opens the answer to a HELLO of ours (46 us); nullopt if it is none, or came before.
  std::optional<Welcome> OpenWelcome(const Header& header, const Destination& self,
                                     std::span<const std::uint8_t> datagram, Instant now);
  // Opens a RETRY: the token for the next HELLO to its sender. nullopt if it answers no HELLO of
  // ours, or came before. It is tried once: no RETRY answers a HELLO that a RETRY caused.
  std::optional<std::uint64_t> OpenRetry(const Header& header, const Destination& self,
                                         std::span<const std::uint8_t> datagram, Instant now);

 private:
  struct Ephemeral {
    Key secret{};
    Key public_key{};
    Instant since;
    bool made = false;
  };
  struct Recent {
    std::vector<std::uint64_t> hashes;  // of HELLOs
    std::size_t oldest = 0;             // once there are kRecentMax
  };
  struct Pending {
    std::uint32_t slot = 0;
    std::uint64_t nonce = 0;
    Instant at;
    bool has_token = false;
    Key secret{};  // of the ephemeral that was used, if it has one
  };

  const Ephemeral& FreshEphemeral(Instant now);
  std::vector<Pending>::iterator FindPending(const Header& header, Instant now);
  static std::optional<Key> InnerKey(const Key& secret, const Key& theirs, const Key& secondary,
                                     std::span<const std::uint8_t> nonce, const MemberId& asker,
                                     const MemberId& answerer, std::uint64_t hello_nonce);

  const PacketProtection& protection_;
  const SecondaryRing& ring_;
  KeyStream& secrets_;
  Ephemeral ephemeral_;
  std::vector<Pending> pending_;
  Recent recent_[2];  // of those without a token, and with one
};

}  // namespace radix::flock
