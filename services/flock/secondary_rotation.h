// The leader's half of rotating the secondary key: who has which slots, and what may be done next.
//
// A sealed leader first reads: it may have missed what an earlier leader did. Until a quorum has
// acknowledged the slots as it has them, it takes later ones from members, and orders nothing. From
// then on its word is the last. Since every phase needs the acknowledgements of a quorum, and a
// member obeys only the leader to which its grant runs, no leader undoes a phase that another one
// went on from.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/key_order.h"
#include "services/flock/member.h"
#include "services/flock/secondary_ring.h"

namespace radix::flock {

// Not thread-safe.
class SecondaryRotation {
 public:
  // For the node `self`, in a bloc where `quorum` are needed to lead.
  SecondaryRotation(const MemberId& self, std::uint32_t quorum) : self_(self), quorum_(quorum) {}

  // This node is the sealed leader under `epoch`; 0: it is not. A new epoch begins with reading.
  void Lead(std::uint64_t epoch);
  std::uint64_t epoch() const { return epoch_; }
  // Whether reading is over.
  bool settled() const { return settled_; }
  // How many changes were made under this epoch: what comes later has more.
  std::uint32_t revision() const { return revision_; }

  // `member`, this node included, has slots of that version in its key file; `ring` is ours.
  // Requires: its grant runs to this node.
  void HandleAck(const MemberId& member, std::uint32_t version, const SecondaryRing& ring,
                 Instant now);

  // Whether `member` acknowledged anything under this epoch: it granted us a lease.
  bool Follows(const MemberId& member) const { return Find(member) != nullptr; }

  // How many, under this epoch, acknowledged slots of that version last.
  std::size_t CountOf(std::uint32_t version) const;

  // Does what `order` asks, or not, and says how it stands then. `live`: all live members, this
  // node included, in slot order. `random`: for a new key.
  KeyReport Execute(const KeyOrder& order, std::span<const MemberId> live, const Key& random,
                    SecondaryRing& ring);

  // Takes some of those who have other slots than `ring`, to be told; each at most twice a second.
  std::vector<MemberId> TakeBehind(const SecondaryRing& ring, Instant now);
  // When to call it again.
  Instant next() const { return next_tell_; }

 private:
  struct Acknowledged {
    MemberId member;
    std::uint32_t version = 0;
    Instant told_at;  // when it was told last
  };

  const Acknowledged* Find(const MemberId& member) const;
  bool Has(const MemberId& member, std::uint32_t version) const {
    const Acknowledged* const found = Find(member);
    return found != nullptr && found->version == version;
  }
  KeyResult Do(const KeyOrder& order, std::span<const MemberId> live, const Key& random,
               SecondaryRing& ring);

  MemberId self_;
  std::uint32_t quorum_;
  std::uint64_t epoch_ = 0;
  std::uint32_t revision_ = 0;
  bool settled_ = false;
  Instant next_tell_{};
  std::vector<Acknowledged> acknowledged_;  // by slot
};

}  // namespace radix::flock
