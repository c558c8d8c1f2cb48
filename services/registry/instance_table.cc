#include "services/registry/instance_table.h"

#include <algorithm>
#include <utility>

namespace radix::registry {

bool InstanceTable::Put(const Instance& instance) {
  if (instance.status == Status::kDead) return Remove(instance);
  const auto found = rows_.find(instance);
  if (found == rows_.end()) {
    const auto added = rows_.insert(Row{instance, ++revision_}).first;
    changed_at_.emplace(revision_, &*added);
    digest_ += HashOf(instance);
    return true;
  }
  const bool changed = !SameToReaders(*found, instance);
  auto node = rows_.extract(found);
  Row& row = node.value();
  if (changed) {
    digest_ += HashOf(instance) - HashOf(row);
    changed_at_.erase(row.revision);
    changed_at_.emplace(++revision_, &row);  // a row keeps its address
    row.revision = revision_;
  }
  static_cast<Instance&>(row) = instance;
  rows_.insert(std::move(node));
  return changed;
}

bool InstanceTable::Remove(const InstanceId& id) {
  const auto found = rows_.find(id);
  if (found == rows_.end()) return false;
  digest_ -= HashOf(*found);
  changed_at_.erase(found->revision);
  ++revision_;
  RememberRemoval(*found);
  rows_.erase(found);
  return true;
}

void InstanceTable::RememberRemoval(const Instance& instance) {
  Instance& removed = removed_at_[revision_] = instance;
  removed.status = Status::kDead;
  if (removed_at_.size() > removals_max_) {
    forgotten_ = removed_at_.begin()->first;
    removed_at_.erase(removed_at_.begin());
  }
}

bool InstanceTable::Replace(const std::vector<Instance>& instances) {
  std::set<InstanceId> named(instances.begin(), instances.end());
  std::vector<InstanceId> gone;
  for (const Row& row : rows_) {
    if (!named.contains(row)) gone.push_back(row);
  }
  bool changed = !gone.empty();
  for (const InstanceId& id : gone) Remove(id);
  for (const Instance& instance : instances) changed = Put(instance) || changed;
  return changed;
}

Delta InstanceTable::Since(std::optional<std::uint64_t> revision, const Selector& selector) const {
  Delta delta{.revision = revision_, .digest = digest_};
  if (!revision || *revision > revision_ || *revision < forgotten_) {
    delta.snapshot = true;
    delta.changes = List(selector);
    return delta;
  }
  // Both lists are in the order of revisions; an instance that came back is in both.
  auto removed = removed_at_.upper_bound(*revision);
  auto changed = changed_at_.upper_bound(*revision);
  while (removed != removed_at_.end() || changed != changed_at_.end()) {
    const bool removal_first = changed == changed_at_.end() ||
                               (removed != removed_at_.end() && removed->first < changed->first);
    const Instance& next = removal_first ? removed->second : *changed->second;
    if (selector.Matches(next)) delta.changes.push_back(next);
    removal_first ? void(++removed) : void(++changed);
  }
  return delta;
}

const Instance* InstanceTable::Find(const InstanceId& id) const {
  const auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : &*found;
}

std::vector<Instance> InstanceTable::List(const Selector& selector) const {
  // The order begins with horde and api, so these two bound the search.
  InstanceId from;
  if (!selector.horde.empty()) {
    from.horde = selector.horde;
    from.api = selector.api;
  }
  std::vector<Instance> found;
  for (auto row = rows_.lower_bound(from); row != rows_.end(); ++row) {
    if (!from.horde.empty() && row->horde != from.horde) break;
    if (!from.api.empty() && row->api != from.api) break;
    if (selector.Matches(*row)) found.push_back(*row);
  }
  return found;
}

}  // namespace radix::registry
