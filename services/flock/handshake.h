// HELLO and WELCOME: how a node without the transient key gets in.
//
// Both are sealed under the bloc's secondary key; what WELCOME brings is sealed once more, under
// X25519 of two ephemeral keys, so that a recording stays closed when the secondary key leaks.
// No answer is longer than its question. So HELLO is padded; but most go to addresses where nobody
// is, therefore the first one is short. RETRY answers one that is too short, and says how long it
// has to be. The answerer keeps nothing, so a replayed HELLO gets an answer that only its author
// could open, and changes nothing.

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

// A HELLO that opened.
struct Hello {
  MemberId sender;
  std::uint64_t nonce = 0;
  std::uint32_t key_tag = 0;
  Key ephemeral{};
  std::size_t size = 0;  // of the datagram: its answer is no longer
};

// What a WELCOME says.
struct Welcome {
  Record sender;
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

// The innermost bytes of a WELCOME; nullopt if they are malformed. Public for the fuzz targets.
void EncodeWelcome(const Welcome& welcome, Writer& out);
std::optional<Welcome> DecodeWelcome(std::span<const std::uint8_t> bytes);

// Both sides of the handshake. Not thread-safe.
class Handshake {
 public:
  // Sizes of a HELLO: without padding; for most answers; for all.
  static constexpr std::size_t kHelloShort =
      kHeaderSize + PacketProtection::kDoorNonceSize + sizeof(Key) + kTagSize;
  static constexpr std::size_t kHelloUsual = 360;
  static constexpr std::size_t kHelloSize = 512;

  Handshake(const PacketProtection& protection, const SecondaryRing& ring, KeyStream& secrets);

  // Writes a HELLO that fills `out` from `self` to whoever runs at `to`, and remembers it for its
  // answer. At most kPendingMax wait; the oldest make room. Requires: kHelloShort to kHelloSize.
  static constexpr std::size_t kPendingMax = 64;
  std::size_t WriteHello(const MemberId& self, const Destination& to, Instant now,
                         std::span<std::uint8_t> out);
  // Whether a HELLO to `slot` was sent less than `age` ago and has no answer yet.
  bool IsPending(std::uint32_t slot, Instant now, Duration age) const;

  // Opens a HELLO for `self`; nullopt if it is not authentic.
  std::optional<Hello> OpenHello(const Header& header, const Destination& self,
                                 std::span<const std::uint8_t> datagram) const;
  // Answers it: with a WELCOME (46 us), without the others if there is no room for them; or with a
  // RETRY. Requires: welcome.ring is what KeyRing encodes.
  std::size_t WriteWelcome(const Hello& hello, const Welcome& welcome, const Destination& to,
                           Instant now, std::span<std::uint8_t> out);
  // Opens the answer to a HELLO of ours (46 us); nullopt if it is none, or came before.
  std::optional<Welcome> OpenWelcome(const Header& header, const Destination& self,
                                     std::span<const std::uint8_t> datagram, Instant now);
  // Opens a RETRY: the size that a HELLO to its sender must have. nullopt if it answers no HELLO of
  // ours, or came before. A HELLO of a size that somebody asked for is not tried again.
  std::optional<std::size_t> OpenRetry(const Header& header, const Destination& self,
                                       std::span<const std::uint8_t> datagram, Instant now);

 private:
  struct Ephemeral {
    Key secret{};
    Key public_key{};
    Instant since;
    bool made = false;
  };
  struct Pending {
    std::uint32_t slot = 0;
    std::uint64_t nonce = 0;
    Instant at;
    Key secret{};  // of the ephemeral that was used
    std::size_t size = 0;
  };

  const Ephemeral& FreshEphemeral(Instant now);
  std::vector<Pending>::iterator FindPending(const Header& header, Instant now);
  std::size_t WriteRetry(const Hello& hello, const MemberId& self, std::size_t size,
                         const Destination& to, std::span<std::uint8_t> out);
  static std::optional<Key> InnerKey(const Key& secret, const Key& theirs, const Key& secondary,
                                     std::span<const std::uint8_t> nonce, const MemberId& asker,
                                     const MemberId& answerer, std::uint64_t hello_nonce);

  const PacketProtection& protection_;
  const SecondaryRing& ring_;
  KeyStream& secrets_;
  Ephemeral ephemeral_;
  std::vector<Pending> pending_;
};

}  // namespace radix::flock
