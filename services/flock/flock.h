// Gossip membership and leadership: who is in the bloc, and who leads it until when.
//
// Flock is a protocol core. It opens no socket, reads no clock and starts no thread: its caller
// feeds it datagrams and the time, and carries out what it asks for. The same inputs therefore give
// the same outputs, which is what lets tests/sim run a whole bloc in one thread from one seed.
//
//          HandleDatagram, HandleTimeout,             PollTransmit, PollPersist,
//          HandlePersisted, Leave                     PollEvent, NextTimeout
//   caller -------------------------------> Flock -------------------------------> caller
//
// Nodes find each other without a seed list, by guessing addresses of the charter's ranges
// (discovery.h), open the door to each other with the bloc's secondary key (handshake.h), talk
// under a transient key that they rotate themselves (key_ring.h, packet_protection.h), compare
// views and send differences (anti_entropy.h), notice failures (prober.h, suspicion.h), and grant
// one of them leases (lease.h, leadership.h).

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/event.h"
#include "services/flock/key_order.h"
#include "services/flock/member.h"

namespace radix::flock {

// A datagram that the caller is to send from the node's own address and the charter's port. A
// failure to send it is a lost datagram, nothing more.
struct Transmit {
  std::uint32_t slot = 0;  // to whom
  Endpoint to;             // the same, as an endpoint
  // At most kDatagramSizeMax. Valid until the next call of any method that is not const.
  std::span<const std::uint8_t> bytes;
};

// A leadership as it stands at one instant.
struct Leadership {
  MemberId leader;
  std::uint64_t epoch = 0;
  Instant until;  // by this node's clock
};

// What is to be put into the node's key file, the key in use first.
struct KeyFile {
  std::uint32_t version = 0;
  std::vector<Key> keys;
};

// Counters since Create; for metrics and tests.
struct Counters {
  std::uint64_t sent = 0;  // datagrams
  std::uint64_t sent_bytes = 0;
  std::uint64_t received = 0;  // datagrams, the bad ones included
  std::uint64_t accepted = 0;  // authenticated, fresh, and acted upon
  std::uint64_t dropped_malformed = 0;
  std::uint64_t dropped_unauthenticated = 0;  // also: other blocs, keys no longer accepted
  std::uint64_t dropped_unknown_key = 0;      // of these: HELLOs under a secondary key that we lack
  std::uint64_t dropped_replayed = 0;
  std::uint64_t dropped_unproven = 0;  // authenticated, but the sender has not yet echoed a nonce
  std::uint64_t dropped_budget = 0;    // a HELLO beyond the budget
  std::uint64_t dropped_revoked = 0;   // first words with, or of, a node whose key was revoked
  std::uint64_t blind_probes = 0;
  std::uint64_t verified = 0;  // signatures of statements, the forged ones included
};

// One member of a bloc, as seen from inside it.
//
// After every call that takes `now`, drain PollTransmit, PollPersist and PollEvent, then call
// HandleTimeout no later than NextTimeout. `now` must never go backwards; a call with a late `now`
// (a paused process) is safe.
//
// Not thread-safe.
class Flock {
 public:
  // Makes a flock that knows only itself, and starts it at `now`.
  //
  // Returns InvalidArgument, naming the field, if `config` breaks a rule of config.h; Internal if
  // libsodium does not initialise.
  static absl::StatusOr<Flock> Create(Config config, Instant now);

  Flock(Flock&&) noexcept;
  Flock& operator=(Flock&&) noexcept;
  ~Flock();

  // Takes in a datagram that came from `from`, whatever it holds. One that is not authentic, or
  // not fresh, changes nothing but a counter and is answered by nothing.
  void HandleDatagram(const Endpoint& from, std::span<const std::uint8_t> bytes, Instant now);

  // Acts on whatever has fallen due by `now`. Calling early is harmless.
  void HandleTimeout(Instant now);

  // `promise`, or a greater one, is on disk: what waited for it may be sent. See PollPersist.
  void HandlePersisted(const Promise& promise, Instant now);

  // The disk refused `promise`: it is full, or broken. The node grants others their leases all the
  // same, as one without a disk does. It does not lead itself. Go on trying to store it, then call
  // HandlePersisted.
  void HandleNotPersisted(const Promise& promise, Instant now);

  // Says good-bye: gives back leases, tells others, and stands for nothing any more. Transmit what
  // it asks for, then destroy it. Calling it twice is harmless. What a sealed leader leads by it
  // does not give back: whoever acts under it may do so until the end that own_leadership named
  // last, and nobody else is sealed before that.
  void Leave(Instant now);

  // Asks the live member of `slot` what it says about itself; the answer is a kIntroduced event,
  // repeated requests cost nothing. Unanswered requests are repeated a few times, then given up:
  // ask again when it is still wanted. Returns false if nobody of that slot is known, or 64
  // requests are under way.
  bool RequestIntroduction(std::uint32_t slot, Instant now);

  // Gives an order about the secondary key, or asks how it stands: to the sealed leader, which may
  // be this node. The answer, KeyResult::kNoLeader at the latest after 5 s, comes by PollKeyAnswer
  // under the name that is returned; 0 if 16 orders are under way.
  std::uint64_t OrderKeys(const KeyOrder& order, Instant now);
  std::optional<KeyAnswer> PollKeyAnswer();

  // Takes the keys to put into the key file (atomically, with fsync), if there are any to put; then
  // call HandleKeyFileStored with their version. Later ones replace those that were not yet stored.
  // A file that cannot be written: never call HandleKeyFileStored; the node then acknowledges no
  // phase of a rotation. Nothing without a key file.
  std::optional<KeyFile> PollKeyFile();
  void HandleKeyFileStored(std::uint32_t version, Instant now);

  // The group revoked the keys of these nodes, by their fingerprints; all of them, each time. Who
  // is on the list gets no lease here and leads nothing, its own leases count for nothing, it gets
  // no keys, and it is not let in. This node itself may be on it.
  void SetRevoked(std::vector<std::uint64_t> fingerprints, Instant now);

  // Takes the next datagram to send, oldest first; nullopt when there is none.
  std::optional<Transmit> PollTransmit();

  // Takes the promise to put on disk (fsync), if there is one to put; then call HandlePersisted.
  // A later promise replaces one that was not yet taken. A disk that fails: HandleNotPersisted.
  std::optional<Promise> PollPersist();

  // Takes the next event, oldest first; nullopt when there is none. At most 4,096 wait: beyond
  // that the oldest are dropped.
  std::optional<Event> PollEvent();

  // For tests: of everything that a datagram may change and that matters later, but for counters,
  // time-outs and what waits to be sent.
  std::uint64_t StateDigest(Instant now) const;

  // When HandleTimeout must next be called. Changes with every call above.
  Instant NextTimeout() const;

  // This node.
  MemberId self() const;
  // The Ed25519 public key of its identity.
  Key public_key() const;

  // Everyone known, this node and the remembered dead included, in slot order. Costs O(n log n).
  std::vector<MemberView> Members(Instant now) const;
  // How many are live, this node included.
  std::uint32_t live_count() const;
  // A hash of the live members, equal for equal views.
  std::uint64_t view_hash() const;

  // Who minted the transient key in use, as long as it lives; otherwise the member that ranks first
  // by this node's view. Only ever coordinates keys.
  MemberId provisional_leader() const;
  // The sealed leader, by its own word and with leases valid now; nullopt when none is known. May
  // be this node itself.
  std::optional<Leadership> sealed_leader(Instant now) const;
  // Set while this node is the sealed leader: act only under this epoch, and only until then.
  std::optional<Leadership> own_leadership(Instant now) const;
  // This node's own unexpired grant: take orders from its holder only. None if that was revoked.
  std::optional<Leadership> own_grant(Instant now) const;
  // The last promise given, in force or not.
  Promise promise() const;

  // Whether this node's lease counts. Not when `at_most` others have a vote already.
  bool has_vote() const;
  // Members in contact who have a vote, this node included; what a candidate needs `quorum` of.
  std::uint32_t contact_count(Instant now) const;
  std::uint32_t quorum() const;

  // Short ids of the keys in use: what two nodes compare to see whether they are up to date.
  std::uint32_t transient_key_id() const;
  std::uint32_t secondary_key_id() const;
  // All secondary keys that open, the one in use first.
  std::vector<Key> secondary_keys() const;

  // Up to 64 slots worth remembering across a restart.
  std::vector<std::uint32_t> PeersToRemember() const;

  // Bytes held for what is known of others: tables, windows, pair keys, suspicions.
  std::size_t member_memory_bytes() const;

  const Counters& counters() const;

 private:
  class Node;

  explicit Flock(std::unique_ptr<Node> node);

  std::unique_ptr<Node> node_;
};

}  // namespace radix::flock
