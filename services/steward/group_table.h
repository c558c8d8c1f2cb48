// The group's table of instances, merged from the tables of its nodes.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/confab/time.h"
#include "services/registry/group.h"
#include "services/registry/instance_table.h"

namespace radix::steward {

// Names one reeve's stream, for as long as this process lives.
using StreamId = std::uint64_t;

// How a reeve introduces its node.
struct NodeHello {
  std::string node;
  IpAddress address;
  std::string boot;
  registry::Delta table;  // a snapshot
};

// All live instances of the group. Soft state: it starts empty and fills as reeves connect.
//
// A node's entries stay until it withdraws them, flock says that the node is gone or has booted
// again, or it had no stream for kKeepWithoutStream. A reeve sends its digest every 5 s; a stream
// that brings nothing for kSilenceMax has gone wrong, and is over. Not thread-safe.
class GroupTable {
 public:
  static constexpr Duration kKeepWithoutStream = 60s;
  static constexpr Duration kSilenceMax = 15s;
  static constexpr std::size_t kInstancesPerNodeMax = 1024;

  // Takes in at most `nodes_max` nodes.
  explicit GroupTable(std::size_t nodes_max) : nodes_max_(nodes_max) {}

  // A reeve connected: its table replaces what was known of its node (nodes are told apart by
  // address). `superseded` gets the node's earlier stream, if that had not ended; its messages are
  // ignored from now on.
  //
  // Errors, which change nothing: ResourceExhausted, for too many nodes or instances.
  absl::Status HandleHello(StreamId stream, const NodeHello& hello, Instant now,
                           std::optional<StreamId>& superseded);

  // Changes of a node's table. Returns whether the node's table is now as its sender has it: if
  // not, ask for the whole. ResourceExhausted for too many instances, then the stream must end.
  absl::Status HandleDelta(StreamId stream, const registry::Delta& delta, Instant now,
                           bool& resend);

  // A stream ended; its node's entries stay for a while.
  void HandleStreamEnd(StreamId stream, Instant now);

  // What flock says: entries of nodes that are gone are hidden at once, and come back should flock
  // change its mind.
  void HandleMembers(const std::vector<registry::Member>& members);

  // Drops what was without a stream for too long. Returns the streams that were silent for too
  // long: end them; their messages are ignored from now on.
  std::vector<StreamId> HandleTimeout(Instant now);

  // When HandleTimeout must next be called; Instant::max() for never.
  Instant NextTimeout() const;

  const registry::InstanceTable& table() const { return merged_; }

  // The nodes that have a stream, by name, sorted.
  std::vector<std::string> ConnectedNodes() const;

 private:
  struct Node {
    std::string name;
    std::string boot;
    bool boot_confirmed = false;  // flock has named this boot
    bool gone = false;            // says flock
    std::optional<StreamId> stream;
    Instant silent_at = Instant::max();  // when its stream was silent for too long
    Instant drop_at = Instant::max();    // when it was without a stream for too long
    std::string origin;
    registry::InstanceTable table{0};
  };

  static bool IsOver(const Node& node, const registry::Member& member);
  void Replace(Node& node, const std::vector<registry::Instance>& instances);
  void SetGone(Node& node, bool gone);
  Node* NodeOf(StreamId stream);

  const std::size_t nodes_max_;
  std::map<IpAddress, Node> nodes_;
  std::map<StreamId, IpAddress> streams_;
  registry::InstanceTable merged_;  // the tables of all nodes that are not gone
};

}  // namespace radix::steward
