// HELLO and WELCOME: how a node without the transient key gets in.
//
// Both are sealed under the bloc's secondary key; what WELCOME brings is sealed once more, under
// X25519 of two ephemeral keys, so that a recording stays closed when the secondary key leaks.
// HELLO is padded: no answer is longer than its question. The answerer keeps nothing, so a replayed
// HELLO gets an answer that only its author could open, and changes nothing.

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
};

// What a WELCOME says.
struct Welcome {
  Record sender;
  Beat beat;
  Key public_key{};
  std::uint64_t counter = 0;        // the sender's counters towards us begin here
  std::optional<Record> about_you;  // what the sender holds about our slot
  std::vector<Key> secondary_keys;
  std::vector<std::uint8_t> ring;  // as KeyRing encodes it
};

// The innermost bytes of a WELCOME; nullopt if they are malformed. Public for the fuzz targets.
void EncodeWelcome(const Welcome& welcome, Writer& out);
std::optional<Welcome> DecodeWelcome(std::span<const std::uint8_t> bytes);

// Both sides of the handshake. Not thread-safe.
class Handshake {
 public:
  // The size of every HELLO, and the most that a WELCOME has.
  static constexpr std::size_t kHelloSize = 512;

  Handshake(const PacketProtection& protection, const SecondaryRing& ring, KeyStream& secrets);

  // Writes a HELLO from `self` to whoever runs at `to`, and remembers it for its answer. At most
  // kPendingMax wait; the oldest make room.
  static constexpr std::size_t kPendingMax = 64;
  std::size_t WriteHello(const MemberId& self, const Destination& to, Instant now,
                         std::span<std::uint8_t> out);
  // Whether a HELLO to `slot` was sent less than `age` ago and has no answer yet.
  bool IsPending(std::uint32_t slot, Instant now, Duration age) const;

  // Opens a HELLO for `self`; nullopt if it is not authentic.
  std::optional<Hello> OpenHello(const Header& header, const Destination& self,
                                 std::span<const std::uint8_t> datagram) const;
  // Answers it (46 us). Requires: welcome.ring is what KeyRing encodes.
  std::size_t WriteWelcome(const Hello& hello, const Welcome& welcome, const Destination& to,
                           Instant now, std::span<std::uint8_t> out);
  // Opens the answer to a HELLO of ours (46 us); nullopt if it is none, or came before.
  std::optional<Welcome> OpenWelcome(const Header& header, const Destination& self,
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
  };

  const Ephemeral& FreshEphemeral(Instant now);
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
