// What one node knows of the group's instances: its own at first hand, the others' by the steward.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/confab/address.h"
#include "services/confab/time.h"
#include "services/registry/group.h"
#include "services/registry/hordes.h"
#include "services/registry/instance_table.h"

namespace radix::reeve {

// Decides which instances a node's lookups find.
//
// - Its own node's come from its own heartbeater alone, with or without a steward. When the
//   heartbeater was restarted, what it knew before stays for kOwnSettle, in which the services beat
//   again; but not the heartbeater that it replaces.
// - Another node's come from the steward, and stay without one, for as long as flock does not say
//   that the node is gone. A new steward starts with an empty table: of each node, what was known
//   before stays until the new steward knows something of that node, or kGroupSettle has passed
//   since it was connected.
// - Nobody finds what a node serves in a horde that it is not of, whatever it registers.
//
// Nodes are told apart by their address. Not thread-safe.
class Directory {
 public:
  static constexpr Duration kOwnSettle = 5s;
  static constexpr Duration kOwnKeepWithoutHeartbeater = 30s;
  static constexpr Duration kGroupSettle = 30s;

  // For the node at `self`.
  explicit Directory(const IpAddress& self) : self_(self) {}

  // Changes of the own node's table, as its heartbeater tells them. False when they do not follow
  // what came before: then watch the heartbeater anew.
  bool HandleOwn(const registry::Delta& delta, Instant now);

  // The heartbeater is not there.
  void HandleOwnLost(Instant now);

  // Changes of the group's table, as the steward of `epoch` tells them. False when the table is
  // then not as the steward's: then connect to it anew.
  bool HandleGroup(std::uint64_t epoch, const registry::Delta& delta, Instant now);

  // The steward is not there.
  void HandleStewardLost();

  // What flock says: entries of nodes that are gone are hidden at once.
  void HandleMembers(const std::vector<registry::Member>& members);

  // Which nodes are of which horde. Until then nothing is hidden: a reeve that has just begun must
  // not have clients think that what they call is gone.
  void SetHordes(registry::Hordes hordes);

  // Drops what stayed for long enough.
  void HandleTimeout(Instant now);

  // When HandleTimeout must next be called; Instant::max() for never.
  Instant NextTimeout() const;

  // What the steward is told: the own node's instances.
  const registry::InstanceTable& own() const { return own_; }

  // What lookups find.
  const registry::InstanceTable& visible() const { return visible_; }

  // Of the steward that the copy came from; 0 for none yet.
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t steward_revision() const { return steward_revision_; }
  bool steward_connected() const { return steward_connected_; }

 private:
  // Another node; or this one as the steward sees it, for the digest.
  struct Node {
    registry::InstanceTable group{0};            // as this steward says
    std::vector<registry::Instance> remembered;  // as the one before said
    bool gone = false;                           // says flock
  };
  // What was shown of some nodes before a change.
  using Shown = std::map<IpAddress, std::vector<registry::Instance>>;

  static IpAddress AddressOf(const registry::InstanceId& id);
  bool IsOfItsHorde(const registry::Instance& instance, const IpAddress& node) const;
  std::vector<registry::Instance> ShownOf(const IpAddress& address, const Node& node) const;
  Shown ShownOfAll() const;
  void HandleFingerprints(const std::vector<registry::Member>& members);
  void ShowOwn(const registry::Instance& instance);
  void Show(const Shown& before);
  void ApplySnapshot(const registry::Delta& delta, Shown& before, Instant now);
  void PutGroup(const registry::Instance& instance);

  const IpAddress self_;
  registry::InstanceTable own_;
  std::string own_origin_;
  std::set<registry::InstanceId> own_remembered_;  // of own_: known to the heartbeater before only
  Instant own_settles_at_ = Instant::max();

  std::map<IpAddress, Node> nodes_;
  std::map<IpAddress, bool> alive_;  // what flock says of whom it listed since it began
  std::map<IpAddress, std::uint64_t> fingerprints_;
  std::optional<registry::Hordes> hordes_;
  std::string own_boot_;  // another one after flock began again
  std::string group_origin_;
  std::uint64_t group_digest_ = 0;  // over the `group` of all nodes
  Instant group_settles_at_ = Instant::max();
  std::uint64_t epoch_ = 0;
  std::uint64_t steward_revision_ = 0;
  bool steward_connected_ = false;

  registry::InstanceTable visible_;
};

}  // namespace radix::reeve
