// The secondary keys: which one is used, which others open, and which of two rings is the later.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/flock/config.h"

namespace radix::flock {

// How far the rotation from the current key to another one is. In this order for one current key.
enum class RotationPhase : std::uint8_t {
  kUsed = 1,   // the current key is in use; the one before the previous still opens
  kIdle,       // nothing is under way
  kInstalled,  // the next key opens, and is not used yet
};

// Slots of the secondary key: previous, current, next, and, between `use` and `remove`, the one
// before the previous. All open; only current seals. At most kSecondaryKeysMax at any time.
//
// A key that a rotation made says itself where it belongs: its first four bytes are the number of
// the key before it plus one, the next four the epoch under which it was made, and 24 are random
// (192 bits). So of two rings, read from key files that were copied by whatever hand, it can be
// told which is later, and no second file can contradict the first. The first key of a line is 32
// random bytes, from `fulcrum keygen`; its number begins anywhere, and numbers wrap around.
//
// Not thread-safe.
class SecondaryRing {
 public:
  struct Entry {
    Key key{};
    std::uint32_t tag = 0;  // its short, public name; never 0
  };

  // The first of `keys` is current; what the others are follows from their numbers. Requires: 1 to
  // kSecondaryKeysMax. A key that is there twice counts once.
  explicit SecondaryRing(const std::vector<Key>& keys);
  ~SecondaryRing();
  SecondaryRing(const SecondaryRing&) = default;
  SecondaryRing& operator=(const SecondaryRing&) = default;

  const Entry& current() const { return current_; }
  const std::optional<Entry>& next() const { return next_; }
  // The one that was used before; nullptr if it is not known.
  const Entry* previous() const { return before_.empty() ? nullptr : &before_.front(); }
  RotationPhase phase() const;

  // The key named `tag`, if it opens; or nullptr.
  const Key* Find(std::uint32_t tag) const;
  // All, the current one first: what a key file holds, and what WELCOME brings.
  std::vector<Key> keys() const;
  // A short name for the slots as they are: what a member acknowledges. Never 0.
  std::uint32_t version() const;

  // Makes `random` the next key, under `epoch`. Requires: phase() == kIdle.
  void Install(std::uint64_t epoch, const Key& random);
  // Next becomes current, current previous. Requires: phase() == kInstalled.
  void Use();
  // Forgets the key before the previous. Requires: phase() == kUsed.
  void Remove();

 private:
  std::vector<Entry> All() const;

  Entry current_;
  std::optional<Entry> next_;
  std::vector<Entry> before_;  // previous, and the one before it
};

// Whether `a` came later than `b`. If only one of them knows the key that the other one uses, it is
// the later; so keys that a person put into the files need no numbers. Otherwise both are of one
// line of rotations: by the number of the current key, then by the phase. Of two keys with one
// number, made by two leaders, the greater epoch's is later.
bool IsLater(const SecondaryRing& a, const SecondaryRing& b);

}  // namespace radix::flock
