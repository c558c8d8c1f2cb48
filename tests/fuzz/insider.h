// A hostile member: it holds every key that a member holds, and seals whatever it likes.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/confab/charter.h"
#include "services/confab/time.h"
#include "services/flock/handshake.h"
#include "services/flock/key_ring.h"
#include "services/flock/packet_codec.h"
#include "services/flock/packet_protection.h"
#include "services/flock/pair_keys.h"

namespace radix::fuzz {

using Bytes = std::vector<std::uint8_t>;

// Uses the production code of keys and packets on the other side. It gets the keys as a member
// does: by HELLO, and by exchanging public keys. Not thread-safe.
class Insider {
 public:
  Insider(const Charter& charter, const flock::MemberId& self, const flock::Key& secondary_key);

  // Takes in what the victim sent to its slot: learns keys, tokens, and what waits for an answer.
  // Returns whether it could be read. What can be read must be well-formed.
  bool Receive(std::span<const std::uint8_t> datagram, Instant now);

  // What it sends. All but HELLO need the victim's WELCOME to have been received; they are empty
  // before. A HELLO carries the token of the victim's last RETRY, once.
  Bytes Hello(const flock::MemberId& victim, Instant now, bool takes_ring = false);
  // A HELLO with a body of any content, well sealed.
  Bytes RawHello(const flock::MemberId& victim, std::span<const std::uint8_t> body);
  // The RETRY and the WELCOME to the victim's last HELLO.
  Bytes Retry();
  Bytes Welcome(const flock::Welcome& welcome, Instant now);
  // A RETRY to it, with a body of any content, well sealed.
  Bytes RawRetry(std::span<const std::uint8_t> body);
  Bytes Group(std::span<const std::uint8_t> body);
  Bytes Pair(std::span<const std::uint8_t> body);

  // The beginning of an honest body: its beat, as the victim would expect it.
  flock::Beat HonestBeat() const;
  flock::Record record() const;

  // What the victim asked last.
  const std::optional<flock::Ping>& ping() const { return ping_; }
  const std::optional<flock::LeaseAsk>& ask() const { return ask_; }
  const flock::MemberId& self() const { return self_; }
  bool has_token() const { return token_.has_value(); }
  // The transient key of that name, if it is known.
  const flock::Key* KeyOf(std::uint32_t tag) const { return ring_.Find(tag, Instant(1h)); }
  const flock::Key& public_key() const { return pair_keys_.public_key(); }
  bool has_pair_key() { return pair_keys_.Find(victim_) != nullptr; }

 private:
  bool ReceiveSealed(const flock::Header& header, std::span<const std::uint8_t> datagram,
                     Instant now);
  Bytes SealDoor(const flock::Header& header, const flock::Destination& to, std::uint64_t echo,
                 std::span<const std::uint8_t> body);
  Bytes Seal(flock::PacketType type, const flock::Key& key, std::uint32_t tag,
             std::span<const std::uint8_t> body);
  flock::Destination DestinationOf(const flock::MemberId& id) const;

  const Charter charter_;
  const flock::MemberId self_;
  flock::KeyStream secrets_;
  flock::PacketProtection protection_;
  flock::SecondaryRing secondary_;
  flock::Handshake handshake_;
  flock::PairKeys pair_keys_;
  flock::KeyRing ring_;

  flock::MemberId victim_;        // boot 0: not known yet
  std::uint32_t victim_tag_ = 0;  // the transient key that it uses
  std::uint64_t view_hash_ = 0;
  std::uint64_t counter_ = 1000;
  std::optional<flock::Hello> hello_;
  std::optional<std::uint64_t> token_;
  std::optional<flock::Ping> ping_;
  std::optional<flock::LeaseAsk> ask_;
};

// The hash that flock derives scopes and digests from.
std::uint64_t TextHash(const std::string& text);

}  // namespace radix::fuzz
