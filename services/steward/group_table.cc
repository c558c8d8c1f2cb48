#include "services/steward/group_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace radix::steward {

using registry::Instance;

absl::Status GroupTable::HandleHello(StreamId stream, const NodeHello& hello, Instant now,
                                     std::optional<StreamId>& superseded) {
  if (hello.table.changes.size() > kInstancesPerNodeMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("hello.table: more than ", kInstancesPerNodeMax, " instances"));
  }
  if (!nodes_.contains(hello.address) && nodes_.size() >= nodes_max_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", nodes_max_, " nodes already, the charter's at_most; raise it in ",
        "the charter of every node, or stop one of the others"));
  }
  Node& node = nodes_[hello.address];
  superseded = node.stream;
  if (node.stream) streams_.erase(*node.stream);
  if (node.boot != hello.boot) node.boot_confirmed = false;
  node.name = hello.node;
  node.boot = hello.boot;
  node.stream = stream;
  node.silent_at = now + kSilenceMax;
  node.drop_at = Instant::max();
  node.origin = hello.table.origin;
  streams_[stream] = hello.address;
  SetGone(node, false);  // it speaks; should flock know better, it says so again
  Replace(node, hello.table.changes);
  return absl::OkStatus();
}

absl::Status GroupTable::HandleDelta(StreamId stream, const registry::Delta& delta, Instant now,
                                     bool& resend) {
  Node* node = NodeOf(stream);
  resend = false;
  if (node == nullptr) return absl::OkStatus();
  node->silent_at = now + kSilenceMax;
  if (delta.snapshot) {
    if (delta.changes.size() > kInstancesPerNodeMax) {
      return absl::ResourceExhaustedError("delta: more than 1,024 instances");
    }
    node->origin = delta.origin;
    Replace(*node, delta.changes);
  } else if (delta.origin != node->origin) {
    resend = true;
    return absl::OkStatus();
  }
  for (const Instance& change : delta.changes) {
    if (node->table.size() >= kInstancesPerNodeMax && node->table.Find(change) == nullptr &&
        change.status != registry::Status::kDead) {
      return absl::ResourceExhaustedError("delta: more than 1,024 instances");
    }
    node->table.Put(change);
    if (!node->gone) merged_.Put(change);
  }
  resend = delta.digest != 0 && delta.digest != node->table.digest();
  return absl::OkStatus();
}

void GroupTable::HandleStreamEnd(StreamId stream, Instant now) {
  Node* node = NodeOf(stream);
  if (node == nullptr) return;
  node->stream.reset();
  node->silent_at = Instant::max();
  node->drop_at = now + kKeepWithoutStream;
  streams_.erase(stream);
}

void GroupTable::HandleMembers(const std::vector<registry::Member>& members) {
  std::map<IpAddress, const registry::Member*> listed;
  for (const registry::Member& member : members) listed[member.address] = &member;
  for (auto& [address, node] : nodes_) {
    const auto found = listed.find(address);
    if (found == listed.end()) {
      // flock has forgotten it, or has not heard of it yet; a stream tells which.
      SetGone(node, !node.stream);
      continue;
    }
    const registry::Member& member = *found->second;
    if (member.boot == node.boot) {
      node.boot_confirmed = true;
      SetGone(node, !member.alive);
    } else {
      SetGone(node, IsOver(node, member));
    }
  }
  std::erase_if(nodes_, [](const auto& each) { return each.second.gone && !each.second.stream; });
}

// Whether the boot that `node` told of has ended, where flock names another one.
bool GroupTable::IsOver(const Node& node, const registry::Member& member) {
  // flock has not heard of this boot yet; unless nothing at all speaks for it.
  if (!node.boot_confirmed) return !member.alive && !node.stream;
  // Without a stream it is over. With one, flock alone may have started again, in which case the
  // node's reeve will say hello anew; but what flock has once called dead stays so until then.
  return !node.stream || !member.alive || node.gone;
}

std::vector<StreamId> GroupTable::HandleTimeout(Instant now) {
  std::vector<StreamId> silent;
  for (auto& [address, node] : nodes_) {
    if (node.drop_at <= now) SetGone(node, true);
    if (node.silent_at <= now) silent.push_back(*node.stream);
  }
  for (const StreamId stream : silent) HandleStreamEnd(stream, now);
  std::erase_if(nodes_, [](const auto& each) { return each.second.gone && !each.second.stream; });
  return silent;
}

Instant GroupTable::NextTimeout() const {
  Instant next = Instant::max();
  for (const auto& [address, node] : nodes_) {
    next = std::min({next, node.drop_at, node.silent_at});
  }
  return next;
}

std::vector<std::string> GroupTable::ConnectedNodes() const {
  std::vector<std::string> names;
  for (const auto& [stream, address] : streams_) names.push_back(nodes_.at(address).name);
  std::sort(names.begin(), names.end());
  return names;
}

void GroupTable::Replace(Node& node, const std::vector<Instance>& instances) {
  const std::vector<Instance> before = node.table.List();
  node.table.Replace(instances);
  if (node.gone) return;
  for (const Instance& instance : before) {
    if (node.table.Find(instance) == nullptr) merged_.Remove(instance);
  }
  for (const Instance& instance : instances) merged_.Put(instance);
}

void GroupTable::SetGone(Node& node, bool gone) {
  if (node.gone == gone) return;
  node.gone = gone;
  for (const Instance& instance : node.table.List()) {
    if (gone) {
      merged_.Remove(instance);
    } else {
      merged_.Put(instance);
    }
  }
}

GroupTable::Node* GroupTable::NodeOf(StreamId stream) {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : &nodes_.at(found->second);
}

}  // namespace radix::steward
