// Which nodes count: those whose dean is connected, and for a while those that were.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/time.h"
#include "services/proctor/nodes.h"

namespace radix::proctor {

// The nodes by address, under one proctor. A node that is lost keeps its place for `grace`, so that
// a restarted dean moves nothing. A proctor that has just begun knows few of the nodes: it plans
// once all that are alive are connected, or `settle` after Begin. Of two nodes with one name only
// the first counts: until it is settled, the first of those that run what manifests ask for,
// because the nodes come to a new proctor in any order, and the one that held the name before keeps
// it. Not thread-safe.
class Roster {
 public:
  // Requires: both > 0. Until a node is believed lost for good, its instances are not placed
  // elsewhere; a longer grace means fewer moves, and later replacement. A shorter time to settle
  // means that a new leader plans sooner, and may move what a slow node still runs.
  Roster(Duration grace, Duration settle) : grace_(grace), settle_(settle) {}

  // Planning may begin once the nodes are there.
  void Begin(Instant now);

  // These addresses are alive, as the flock sees it.
  void Expect(std::set<std::string> addresses) { expected_ = std::move(addresses); }

  // Whose keys they are at these addresses; for others what was known stays. Returns whether that
  // changes a node.
  bool SetFingerprints(std::map<std::string, std::uint64_t> fingerprints);
  // 0: unknown.
  std::uint64_t FingerprintAt(const std::string& address) const;

  // A dean connected, or connected again.
  void Connect(const std::string& address, const std::string& name, std::vector<std::string> labels,
               std::vector<Plugin> plugins, Instant now);

  // What it runs now. Ignored for a node that is not connected.
  void Report(const std::string& address, std::vector<Plugin> plugins,
              std::vector<std::string> errors);

  void Disconnect(const std::string& address, Instant now);

  // Whether enough is known to plan. Once true it stays so.
  bool IsSettled(Instant now);

  // All nodes that count now, by name. Forgets those whose grace is over.
  Nodes View(Instant now);

  // When View or IsSettled may change by itself; nullopt for never.
  std::optional<Instant> NextTimeout() const;

  // The name of the node at `address`; empty when it does not count.
  std::string NameAt(const std::string& address) const;

 private:
  struct Entry {
    std::string name;
    NodeView view;
    // Who counts of those with one name: the least.
    std::pair<bool, std::uint64_t> order;  // false if it held the name before, number of connecting
    std::optional<Instant> lost_at;        // unset while connected
  };

  Duration grace_;
  Duration settle_;
  std::optional<Instant> began_at_;
  bool settled_ = false;
  std::uint64_t next_order_ = 0;
  std::set<std::string> expected_;
  std::map<std::string, std::uint64_t> fingerprints_;
  std::map<std::string, Entry> entries_;  // by address
};

}  // namespace radix::proctor
