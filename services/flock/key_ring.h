// The transient keys: which one seals, which ones open, and how rings of two islands become one.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/member.h"
#include "services/flock/packet_codec.h"
#include "services/flock/ranking.h"

namespace radix::flock {

// Names a transient key: under which epoch (0: a provisional leader's), the how-many-th of its
// line, by whom.
struct KeyId {
  std::uint64_t epoch = 0;
  std::uint32_t serial = 0;
  MemberId minter;

  auto operator<=>(const KeyId&) const = default;
};

struct TransientKey {
  KeyId id;
  Key key{};
  std::uint32_t tag = 0;  // its short name in headers; never 0
};

// Three slots, previous, current and next, of which one at a time is moved: all open, only current
// seals. Of two rings that meet, everybody takes the greater (greater epoch, then serial, then the
// minter that ranks first); the keys of the other open for a grace longer. But who follows a leader
// takes that one's ring, whatever numbers others give to theirs. Not thread-safe.
class KeyRing {
 public:
  // Starts with `first` as the current key.
  KeyRing(const Ranking& ranking, const KeyId& id, const Key& first, Duration grace, Instant now);
  ~KeyRing();
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  const TransientKey& current() const { return *current_; }
  const std::optional<TransientKey>& next() const { return next_; }
  // Since when `current` has been that.
  Instant current_since() const { return current_since_; }
  // Keys besides those in the slots that were, or are still, accepted.
  std::size_t retired_count() const { return retired_.size(); }
  // A short name for the three slots as they are: what a member acknowledges.
  std::uint32_t version() const;

  // The key named `tag`, if it still opens; or nullptr.
  const Key* Find(std::uint32_t tag, Instant now) const;

  // Puts a new key into the next slot. Requires: none is there.
  void Prepare(std::uint64_t epoch, const MemberId& minter, const Key& key);
  // Next becomes current, current previous. Requires: there is a next.
  void Advance(Instant now);

  // Writes the three slots, at most kEncodedSizeMax bytes.
  static constexpr std::size_t kEncodedSizeMax = 1 + 3 * (1 + 24 + 32);
  void Encode(Writer& out) const;

  // What an epoch or a serial can be: a lease a nanosecond, or two thousand years of rotations.
  // Whose ring says more lies, so that nobody could ever say more than it.
  static constexpr std::uint64_t kEpochMax = flock::kEpochMax;
  static constexpr std::uint32_t kSerialMax = std::uint32_t{1} << 31;

  // Each takes in another ring, in its way; and returns false, changing nothing, if `encoded` is
  // malformed or, but for Follow, beyond these limits.
  //
  // The greater of the two.
  bool Merge(std::span<const std::uint8_t> encoded, Instant now);
  // Even if it is the lesser; for who shares its own with nobody.
  bool Adopt(std::span<const std::uint8_t> encoded, Instant now);
  // Its keys open for a grace, and that is all.
  bool Admit(std::span<const std::uint8_t> encoded, Instant now);
  // Exactly that ring, as the leader has it.
  bool Follow(std::span<const std::uint8_t> encoded, Instant now);

  // Whether `encoded` is well-formed.
  static bool IsValid(std::span<const std::uint8_t> encoded);

 private:
  struct Slots {
    std::optional<TransientKey> previous, current, next;
  };
  struct Retired {
    TransientKey key;
    Instant until;
    bool strange = false;  // never in a slot of this ring
  };

  static std::optional<Slots> Decode(std::span<const std::uint8_t> encoded);
  static std::optional<Slots> DecodePossible(std::span<const std::uint8_t> encoded);
  void AdmitSlots(const Slots& other, Instant now);
  void Replace(const Slots& other, Instant now);
  bool IsGreater(const KeyId& a, const KeyId& b) const;
  bool Holds(std::uint32_t tag) const;
  void Retire(const std::optional<TransientKey>& key, Instant now, bool strange = false);

  Ranking ranking_;
  Duration grace_;
  std::optional<TransientKey> previous_, current_, next_;
  Instant current_since_;
  std::vector<Retired> retired_;  // bounded, strange ones make room first; oldest first
};

}  // namespace radix::flock
