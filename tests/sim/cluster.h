// Blocs of production cores, crypto included, in one thread, from one seed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "services/confab/charter.h"
#include "services/confab/random.h"
#include "services/confab/time.h"
#include "services/flock/flock.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/health.h"
#include "tests/sim/invariants.h"
#include "tests/sim/network.h"
#include "tests/sim/processors.h"
#include "tests/sim/traffic.h"

namespace radix::sim {

struct ClusterOptions {
  std::size_t nodes = 5;
  double density = 0.5;        // nodes per address slot
  std::uint32_t at_most = 0;   // of each bloc; 0: as many as it has nodes
  std::size_t blocs = 1;       // on one range and port; node i belongs to bloc i % blocs
  bool one_key = false;        // all blocs have the same secondary key, and differ by name only
  std::uint32_t quorum = 0;    // 0: the charter's default
  double with_disk = 1;        // the share of nodes whose promises survive
  std::int64_t drift_ppm = 0;  // clocks run fast or slow by up to this, in parts per million
  std::size_t twins = 0;       // so many of the last nodes share addresses with the first, in turns
  NetworkOptions network;
  ProcessorOptions processors;  // by default each node has its own, which takes no time
  flock::Tunables tunables;
  std::uint64_t seed = 1;
};

// The nodes, their clocks and disks, and the network between them. Nothing runs until Boot and Run.
// Not thread-safe.
class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);

  // Starts node `i`, with a new boot nonce; what its disk holds is there. Requires: it is down.
  void Boot(std::size_t i);
  // Ends it at once. Writes under way may or may not reach the disk.
  void Crash(std::size_t i);
  void WipeDisk(std::size_t i);
  // Each gets the other's address. Requires: both are down.
  void SwapAddresses(std::size_t a, std::size_t b);
  // Its key file cannot be written until it can again; the promises still can.
  void SetKeyFileFull(std::size_t i, bool full) { nodes_[i].key_file_full = full; }
  // What its key file holds, the key in use first; and what a person writes into it.
  const std::vector<flock::Key>& key_file(std::size_t i) const { return nodes_[i].key_file; }
  void SetKeyFile(std::size_t i, const std::vector<flock::Key>& keys) { nodes_[i].key_file = keys; }
  // Stops it; datagrams wait for it, a few hundred at most. Its clock runs on.
  void Pause(std::size_t i);
  void Resume(std::size_t i);
  // Lets it say good-bye, then ends it.
  void Leave(std::size_t i);

  // The group revokes the key of node `i`, which was up before. Nobody hears of it yet.
  void Revoke(std::size_t i);
  // Node `i`, which is up and not paused, hears of all that was revoked until now, and remembers it
  // if it has a disk.
  void TellRevoked(std::size_t i);
  bool revoked(std::size_t i) const { return nodes_[i].revoked; }
  // Whether node `i` knows now that `subject` was revoked.
  bool KnowsRevoked(std::size_t i, std::size_t subject) const;

  // Its clock gains so many parts of a million. Requires: it was never up.
  void SetClock(std::size_t i, std::int64_t ppm) { nodes_[i].ppm = ppm; }

  // Runs until true time `until`.
  void RunUntil(Instant until);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }
  // Runs until `done` (asked every `every`) or until `limit` from now. Returns whether it was done.
  bool RunUntilTrue(const std::function<bool()>& done, Duration limit, Duration every = 20ms);

  // A datagram from nowhere reaches node `to`, if it is up, as if it came from the address of slot
  // `from_slot`. Returns whether it was accepted.
  bool Inject(std::uint32_t from_slot, std::size_t to, std::span<const std::uint8_t> bytes);

  // All nodes that are up list exactly those of their own bloc, under one hash.
  bool OneView();
  // All nodes that are up, but those that were revoked, know the same sealed leader of their bloc,
  // which is up and knows it itself, and was not revoked.
  bool OneLeader();
  // The node of `bloc` that is sealed now.
  std::optional<std::size_t> Leader(std::size_t bloc = 0);

  // Says that something is wrong with node `i`, or no longer: see Health.
  void SetSick(std::size_t i, bool sick) { health_.SetSick(i, sick, now_); }

  Instant now() const { return now_; }
  std::size_t size() const { return nodes_.size(); }
  bool up(std::size_t i) const { return nodes_[i].flock.has_value(); }
  bool paused(std::size_t i) const { return nodes_[i].paused; }
  std::size_t blocs() const { return blocs_.size(); }
  std::size_t bloc_of(std::size_t i) const { return i % blocs_.size(); }
  std::uint32_t slot(std::size_t i) const { return nodes_[i].slot; }
  std::size_t up_count() const;
  flock::Flock& flock(std::size_t i) { return *nodes_[i].flock; }
  Instant LocalNow(std::size_t i) const { return ToLocal(nodes_[i], now_); }
  Network& network() { return network_; }
  Processors& processors() { return processors_; }
  const ClusterOptions& options() const { return options_; }
  Invariants& invariants(std::size_t bloc = 0) { return blocs_[bloc].invariants; }
  // Those of all blocs: the texts of the first, and how many there were.
  std::vector<std::string> Violations() const;
  std::uint64_t violation_count() const;
  const Health& health() const { return health_; }
  Random& random() { return random_; }
  const Charter& charter(std::size_t bloc = 0) const { return blocs_[bloc].charter; }
  std::uint64_t trace_hash() const { return trace_hash_; }
  const Traffic& traffic() const { return traffic_; }
  std::uint64_t datagrams() const { return datagram_id_; }
  // Asked about every datagram before it is sent: false loses it. Null: all are sent.
  std::function<bool(std::size_t from, std::size_t to, std::span<const std::uint8_t>)> lets_pass;
  // Called for every event of every node.
  std::function<void(std::size_t, const flock::Event&)> on_event;
  // Called for every datagram that the network delivered, after node `to` has handled it, and
  // accepted it or not.
  std::function<void(std::uint32_t from_slot, std::size_t to, std::span<const std::uint8_t>,
                     bool accepted)>
      on_deliver;
  // What an eavesdropper with all keys knows: the key that was in use at power-on, and identities.
  const flock::Key& secondary_key() const { return blocs_.front().secondary; }
  const flock::Key& identity(std::size_t i) const { return nodes_[i].identity; }
  // Gives node `i` an order, and calls on_key_answer when its answer comes. Requires: it is up.
  std::uint64_t OrderKeys(std::size_t i, const flock::KeyOrder& order);
  std::function<void(std::size_t, const flock::KeyAnswer&)> on_key_answer;

 private:
  struct Bloc {
    Charter charter;
    flock::Key secondary{};  // at power-on
    Invariants invariants;
  };
  struct Node {
    std::optional<flock::Flock> flock;
    std::uint32_t slot = 0;
    std::uint32_t bloc = 0;
    bool has_disk = false;
    bool paused = false;
    flock::Promise disk;
    std::optional<flock::Promise> writing;
    std::vector<flock::Key> key_file;
    std::optional<flock::KeyFile> writing_keys;
    bool key_file_full = false;
    flock::Key identity{};
    std::vector<std::uint32_t> remembered;
    std::uint64_t fingerprint = 0;  // of its identity; 0: it was never up
    bool revoked = false;
    std::vector<std::uint64_t> knows_revoked;  // fingerprints; what a disk remembers, too
    std::vector<Step> waiting;                 // datagrams, while paused
    std::uint32_t generation = 0;              // of boots
    std::int64_t ppm = 0;                      // what its clock gains
    Duration offset{};                         // its clock when the simulation began
    Instant wake = Instant::max();
  };

  Instant ToLocal(const Node& node, Instant true_time) const;
  Instant ToTrue(const Node& node, Instant local) const;
  Invariants& InvariantsOf(const Node& node) { return blocs_[node.bloc].invariants; }
  void Perform(const Step& step);
  // Where processors are shared: it waits for one.
  void Queue(const Step& step);
  // `i` has a processor, and does the next that waits.
  void Serve(std::size_t i);
  void Do(const Step& step);
  void Deliver(const Step& step);
  void Drain(std::size_t i);
  void NoteListing(std::size_t observer, const flock::Event& event);
  void NoteRemoval(std::size_t observer, const flock::MemberId& id);
  void StoreKeys(std::size_t i);
  // Those that enough nodes know of, for good, are nobody's leaders once the leases have run out.
  void NoteWhoMayNotLead(std::size_t bloc);
  void Schedule(StepKind kind, std::size_t i, Duration after);
  void Check(std::size_t i);
  void Send(std::size_t from, const flock::Transmit& transmit);
  std::size_t NodeAt(std::int32_t first);
  void Trace(std::uint64_t value);

  ClusterOptions options_;
  Random random_;
  std::vector<Bloc> blocs_;
  Network network_;
  Processors processors_;
  Traffic traffic_;
  Health health_;
  EventQueue queue_;
  DatagramPool pool_;
  std::vector<Node> nodes_;
  std::vector<std::int32_t> node_of_slot_;
  std::vector<Step> recorded_;  // datagrams to replay; each has a place in the pool
  Instant now_;
  std::uint64_t datagram_id_ = 0;
  std::uint64_t trace_hash_ = 0;
};

}  // namespace radix::sim
