#include "services/healthminder/availability.h"

#include <set>

namespace radix::healthminder {

using registry::Instance;
using registry::InstanceId;
using registry::Status;

void AvailabilityLog::HandleDelta(const registry::Delta& delta, Instant now) {
  Settle(now);
  if (delta.snapshot) {
    const bool restarted = delta.origin != origin_;
    const std::set<InstanceId> named(delta.changes.begin(), delta.changes.end());
    for (auto& [id, entry] : entries_) {
      if (named.contains(id)) continue;
      if (restarted) {
        entry.missing = true;
      } else {
        Bury(entry, now);
      }
    }
    origin_ = delta.origin;
    if (restarted) settles_at_ = now + kSettle;
  }
  for (const Instance& change : delta.changes) Apply(change, now);
  Forget(now);
}

void AvailabilityLog::Settle(Instant now) {
  if (now < settles_at_) return;
  for (auto& [id, entry] : entries_) {
    if (entry.missing) Bury(entry, settles_at_);
  }
  settles_at_ = Instant::max();
}

void AvailabilityLog::Apply(const Instance& instance, Instant now) {
  const auto found = entries_.find(instance);
  if (found == entries_.end()) {
    if (instance.status == Status::kDead || entries_.size() >= kEntriesMax) return;
    entries_[instance] = {.instance = instance, .since = now, .up_since = now};
    return;
  }
  Entry& entry = found->second;
  entry.missing = false;
  if (instance.status == Status::kDead) {
    Bury(entry, now);
    return;
  }
  if (entry.instance.status == Status::kDead) entry.up_since = now;
  if (entry.instance.status != instance.status) entry.since = now;
  entry.instance = instance;
}

void AvailabilityLog::Bury(Entry& entry, Instant now) {
  entry.missing = false;
  if (entry.instance.status == Status::kDead) return;
  entry.instance.status = Status::kDead;
  entry.since = now;
  entry.up_before += now - entry.up_since;
  Flaps& flaps = flaps_[KeyOf(entry.instance)];
  ++flaps.count;
  flaps.latest = now;
}

// The flaps of what still has an entry are kept however long ago they were.
void AvailabilityLog::Forget(Instant now) {
  std::set<FlapKey> kept;
  for (auto each = entries_.begin(); each != entries_.end();) {
    const Entry& entry = each->second;
    if (entry.instance.status == Status::kDead && now - entry.since >= kRemember) {
      each = entries_.erase(each);
    } else {
      kept.insert(KeyOf(each->first));
      ++each;
    }
  }
  std::erase_if(flaps_, [&](const auto& each) {
    return !kept.contains(each.first) && now - each.second.latest >= kRemember;
  });
}

std::vector<Availability> AvailabilityLog::List(const registry::Selector& selector, Instant now) {
  Settle(now);
  Forget(now);
  std::vector<Availability> all;
  for (const auto& [id, entry] : entries_) {
    if (!selector.Matches(id)) continue;
    const bool up = entry.instance.status != Status::kDead;
    const auto flaps = flaps_.find(KeyOf(id));
    all.push_back({.instance = entry.instance,
                   .age = now - entry.since,
                   .up = entry.up_before + (up ? now - entry.up_since : Duration{}),
                   .flaps = flaps == flaps_.end() ? 0 : flaps->second.count});
  }
  return all;
}

AvailabilityLog::FlapKey AvailabilityLog::KeyOf(const InstanceId& id) {
  return {id.node, id.horde, id.api, id.inst};
}

}  // namespace radix::healthminder
