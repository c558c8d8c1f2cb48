#include "services/reeve/directory.h"

#include <algorithm>
#include <utility>

namespace radix::reeve {

using registry::Delta;
using registry::Instance;
using registry::InstanceId;

namespace {

// A heartbeater holds the node's one socket: where there is a new one, the one before is gone.
bool IsHeartbeater(const InstanceId& id) { return id.horde == "radix" && id.api == "heartbeater1"; }

}  // namespace

bool Directory::HandleOwn(const Delta& delta, Instant now) {
  if (delta.snapshot) {
    const std::set<InstanceId> named(delta.changes.begin(), delta.changes.end());
    const bool restarted = delta.origin != own_origin_;
    for (const Instance& instance : own_.List()) {
      if (named.contains(instance)) continue;
      if (restarted && !IsHeartbeater(instance)) {
        own_remembered_.insert(instance);
      } else {
        own_remembered_.erase(instance);
        own_.Remove(instance);
        visible_.Remove(instance);
      }
    }
    for (const InstanceId& id : named) own_remembered_.erase(id);
    own_origin_ = delta.origin;
    own_settles_at_ = own_remembered_.empty() ? Instant::max() : now + kOwnSettle;
  } else if (delta.origin != own_origin_) {
    return false;
  }
  for (const Instance& change : delta.changes) {
    own_remembered_.erase(change);
    own_.Put(change);
    ShowOwn(change);
  }
  return true;
}

void Directory::HandleOwnLost(Instant now) {
  if (own_settles_at_ == Instant::max()) own_settles_at_ = now + kOwnKeepWithoutHeartbeater;
  for (const Instance& instance : own_.List()) own_remembered_.insert(instance);
}

bool Directory::HandleGroup(std::uint64_t epoch, const Delta& delta, Instant now) {
  if (!delta.snapshot && delta.origin != group_origin_) return false;
  Shown before;
  if (delta.snapshot) ApplySnapshot(delta, before, now);
  for (const Instance& change : delta.changes) {
    const IpAddress address = AddressOf(change);
    if (!before.contains(address)) before.emplace(address, ShownOf(address, nodes_[address]));
    PutGroup(change);
  }
  epoch_ = epoch;
  steward_revision_ = delta.revision;
  steward_connected_ = true;
  Show(before);
  return delta.digest == 0 || delta.digest == group_digest_;
}

// Empties what the steward said before; of another steward's, it is remembered.
void Directory::ApplySnapshot(const Delta& delta, Shown& before, Instant now) {
  const bool another = delta.origin != group_origin_;
  bool remembers = false;
  for (auto& [address, node] : nodes_) {
    before.emplace(address, ShownOf(address, node));
    if (another && node.group.size() > 0) node.remembered = node.group.List();
    node.group.Replace({});
    remembers = remembers || !node.remembered.empty();
  }
  group_origin_ = delta.origin;
  group_digest_ = 0;
  group_settles_at_ = remembers ? now + kGroupSettle : Instant::max();
}

void Directory::PutGroup(const Instance& instance) {
  Node& node = nodes_[AddressOf(instance)];
  const auto alive = alive_.find(AddressOf(instance));
  node.gone = alive != alive_.end() && !alive->second;
  group_digest_ -= node.group.digest();
  node.group.Put(instance);
  group_digest_ += node.group.digest();
  // The steward has heard from that node, so what was known before is out of date. (A node that has
  // nothing to say is no node: its reeve alone is an entry.)
  if (node.group.size() > 0) node.remembered.clear();
}

void Directory::HandleStewardLost() {
  steward_connected_ = false;
  group_settles_at_ = Instant::max();  // begins again with the next one
}

void Directory::HandleMembers(const std::vector<registry::Member>& members) {
  HandleFingerprints(members);
  std::map<IpAddress, bool> alive;
  for (const registry::Member& member : members) {
    alive[member.address] = member.alive;
    if (member.address != self_ || member.boot == own_boot_) continue;
    // flock began again: whom it does not list, it has not heard of yet.
    alive_.clear();
    own_boot_ = member.boot;
  }
  Shown before;
  for (auto& [address, node] : nodes_) {
    // Whom flock has listed before and lists no more, it has forgotten after a death. Whom it has
    // never listed, the steward's flock has heard of first.
    if (alive_.contains(address)) alive.try_emplace(address, false);
    const auto found = alive.find(address);
    const bool gone = found == alive.end() ? node.gone : !found->second;
    if (gone == node.gone) continue;
    before.emplace(address, ShownOf(address, node));
    node.gone = gone;
    if (gone) node.remembered.clear();
    if (gone && !steward_connected_) {
      // Nobody will withdraw these; a steward that still has them says so when it is connected.
      group_digest_ -= node.group.digest();
      node.group.Replace({});
    }
  }
  alive_ = std::move(alive);
  Show(before);
}

// Whose key it is at an address decides of which hordes that node is.
void Directory::HandleFingerprints(const std::vector<registry::Member>& members) {
  Shown before;
  for (const registry::Member& member : members) {
    const auto [known, is_new] = fingerprints_.try_emplace(member.address, 0);
    if (known->second == member.fingerprint) continue;
    if (const auto node = nodes_.find(member.address); node != nodes_.end()) {
      before.emplace(member.address, ShownOf(member.address, node->second));
    }
    known->second = member.fingerprint;
    if (member.address != self_) continue;
    for (const Instance& instance : own_.List()) ShowOwn(instance);
  }
  Show(before);
}

void Directory::HandleTimeout(Instant now) {
  if (own_settles_at_ <= now) {
    own_settles_at_ = Instant::max();
    for (const InstanceId& id : std::exchange(own_remembered_, {})) {
      own_.Remove(id);
      visible_.Remove(id);
    }
  }
  if (group_settles_at_ > now) return;
  group_settles_at_ = Instant::max();
  Shown before;
  for (auto& [address, node] : nodes_) {
    if (node.remembered.empty()) continue;
    before.emplace(address, ShownOf(address, node));
    node.remembered.clear();
  }
  Show(before);
}

Instant Directory::NextTimeout() const { return std::min(own_settles_at_, group_settles_at_); }

IpAddress Directory::AddressOf(const InstanceId& id) {
  const auto endpoint = Endpoint::Parse(id.net_id);
  return endpoint.ok() ? endpoint->ip : IpAddress{};
}

bool Directory::IsOfItsHorde(const Instance& instance, const IpAddress& node) const {
  const auto found = fingerprints_.find(node);
  if (!hordes_ || found == fingerprints_.end()) return true;  // nobody knows yet
  return hordes_->Has(instance.horde, found->second);
}

std::vector<Instance> Directory::ShownOf(const IpAddress& address, const Node& node) const {
  if (node.gone) return {};
  std::vector<Instance> shown = node.group.size() > 0 ? node.group.List() : node.remembered;
  std::erase_if(shown, [&](const Instance& each) { return !IsOfItsHorde(each, address); });
  return shown;
}

Directory::Shown Directory::ShownOfAll() const {
  Shown all;
  for (const auto& [address, node] : nodes_) all.emplace(address, ShownOf(address, node));
  return all;
}

void Directory::ShowOwn(const Instance& instance) {
  if (IsOfItsHorde(instance, self_)) {
    visible_.Put(instance);
  } else {
    visible_.Remove(instance);
  }
}

void Directory::SetHordes(registry::Hordes hordes) {
  if (hordes_ == hordes) return;
  const Shown before = ShownOfAll();
  hordes_ = std::move(hordes);
  Show(before);
  for (const Instance& instance : own_.List()) ShowOwn(instance);
}

void Directory::Show(const Shown& before) {
  for (const auto& [address, old] : before) {
    const auto found = nodes_.find(address);
    if (address != self_) {
      const std::vector<Instance> now = ShownOf(address, found->second);
      const std::set<InstanceId> named(now.begin(), now.end());
      for (const Instance& instance : old) {
        if (!named.contains(instance)) visible_.Remove(instance);
      }
      for (const Instance& instance : now) visible_.Put(instance);
    }
    if (found->second.group.size() == 0 && found->second.remembered.empty()) nodes_.erase(found);
  }
}

}  // namespace radix::reeve
