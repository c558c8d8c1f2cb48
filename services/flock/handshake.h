// HELLO, RETRY and WELCOME: how a node without the transient key gets in.
//
// All are sealed under the bloc's secondary key; what WELCOME brings is sealed once more, under
// X25519 of two ephemeral keys, so that a recording stays closed when the secondary key leaks.
// Most HELLOs go to addresses where nobody is, therefore the first one is but a header and its
// seal. RETRY answers it, is no longer, and brings a token. The HELLO that brings the token back
// shows that its author receives at its address, and does so now: so WELCOME may be longer than
// that, and the author is listed at once. The answerer keeps nothing before. Each HELLO with a
// token has a counter of its author's, as all that is sealed, so that it counts once.
//
// No nonce travels: it is a hash of header, destination, bloc, and what is answered
// (PacketProtection::SealDoor). None seals two bodies. HELLO (a random number in its header) and
// RETRY (the token there) have no body: whoever makes one of them again makes the same datagram.
// HELLO with a token and WELCOME have in their headers a counter that their author never uses twice
// towards one slot; and which of the four it is stands there, too.

#pragma once

#include <array>
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
  std::uint64_t counter = 0;      // the author's, never used before towards whoever it goes to
  std::uint32_t incarnation = 0;  // the author's record, but what the header says
  std::uint64_t fingerprint = 0;
  bool takes_ring = false;  // whatever it is: the author shares its own with nobody
};

// A HELLO that opened.
struct Hello {
  MemberId sender;
  std::uint64_t nonce = 0;  // its proof's counter, or a random number
  std::uint32_t key_tag = 0;
  // Both, or none: it asks for a token.
  std::optional<HelloProof> proof;
  Key ephemeral{};
};

// What a WELCOME says.
struct Welcome {
  Record sender;  // alive, with the incarnation of the beat
  Beat beat;
  // Of the sender's towards us, never used before, and taken from the header: those that are still
  // to come are above it.
  std::uint64_t counter = 0;
  // To be echoed in an ack, as that of a ping; 0 if the beat says that the sender hears us.
  std::uint64_t token = 0;
  std::optional<Record> about_you;  // what the sender holds about our slot
  std::vector<Key> secondary_keys;  // none: only that of the HELLO
  std::vector<std::uint8_t> ring;   // as KeyRing encodes it
  // All others that the sender lists, where they are few; none otherwise.
  std::vector<Record> others;
};

// The innermost bytes of a WELCOME of `sender`, all but its counter; nullopt if they are malformed.
// Public for the fuzz targets.
void EncodeWelcome(const Welcome& welcome, Writer& out);
std::optional<Welcome> DecodeWelcome(const MemberId& sender, std::span<const std::uint8_t> bytes);

// Both sides of the handshake. Not thread-safe.
class Handshake {
 public:
  // What each has besides its body.
  static constexpr std::size_t kOverhead = kHeaderSize + kTagSize;
  // A HELLO that asks for a token is as long as the RETRY that brings one.
  static constexpr std::size_t kRetrySize = kOverhead;
  static constexpr std::size_t kHelloShort = kRetrySize;
  static constexpr std::size_t kHelloSize = kOverhead + 8 + 4 + 8 + 1 + sizeof(Key);

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
    std::vector<std::uint64_t> hashes;  // of HELLOs, so that nobody can tell which two are equal
    std::size_t oldest = 0;             // once there are kRecentMax
  };
  struct Pending {
    std::uint32_t slot = 0;
    std::uint64_t nonce = 0;
    Instant at;
    bool has_token = false;
    Ephemeral ephemeral;  // that was used, if it has one
  };

  const Ephemeral& FreshEphemeral(Instant now);
  std::vector<Pending>::iterator FindPending(std::uint32_t slot, bool has_token, Instant now);

  const PacketProtection& protection_;
  const SecondaryRing& ring_;
  KeyStream& secrets_;
  std::array<std::uint8_t, 16> hash_secret_{};
  Ephemeral ephemeral_;
  std::vector<Pending> pending_;
  Recent recent_[2];  // of those without a token, and with one
};

}  // namespace radix::flock
