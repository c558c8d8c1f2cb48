#include "services/flock/event_history.h"

#include <algorithm>

namespace radix::flock {

static_assert(sizeof(EventHistory::Entry) <= 160, "the header says how much memory that takes");

std::size_t EventHistory::RingOf(EventKind kind) {
  switch (kind) {
    case EventKind::kJoined:
      return 0;
    case EventKind::kSuspected:
    case EventKind::kRefuted:
    case EventKind::kDied:
    case EventKind::kLeft:
    case EventKind::kStalled:
      return 1;
    default:
      return 2;
  }
}

std::optional<std::int64_t> EventHistory::Add(Event event, WallTime at) {
  if (event.kind == EventKind::kIntroduced) return std::nullopt;
  if (event.kind == EventKind::kAlarm && IsRepeated(event)) return std::nullopt;
  const std::size_t which = RingOf(event.kind);
  Ring& ring = rings_[which];
  if (ring.size() == kMost[which]) {
    ring.pop_front();
    if (which < 2) ++dropped_;
  }
  ring.push_back({++sequence_, at, std::move(event)});
  return sequence_;
}

bool EventHistory::IsRepeated(const Event& alarm) {
  if (alarms_.size() >= kAlarmsMax) alarms_.clear();
  const auto [kept, first] = alarms_.try_emplace({alarm.evidence, alarm.subject}, alarm.at);
  if (!first && alarm.at - kept->second < kRepeatAfter) return true;
  kept->second = alarm.at;
  return false;
}

std::vector<EventHistory::Entry> EventHistory::Merge(std::array<std::size_t, 3> from,
                                                     std::size_t limit) const {
  std::vector<Entry> merged;
  while (merged.size() < limit) {
    std::size_t least = rings_.size();
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (from[i] == rings_[i].size()) continue;
      if (least == rings_.size() ||
          rings_[i][from[i]].sequence < rings_[least][from[least]].sequence) {
        least = i;
      }
    }
    if (least == rings_.size()) break;
    merged.push_back(rings_[least][from[least]++]);
  }
  return merged;
}

std::vector<EventHistory::Entry> EventHistory::After(std::int64_t sequence,
                                                     std::size_t limit) const {
  std::array<std::size_t, 3> from{};
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    const auto first = std::ranges::upper_bound(rings_[i], sequence, {}, &Entry::sequence);
    from[i] = static_cast<std::size_t>(first - rings_[i].begin());
  }
  return Merge(from, limit);
}

std::vector<EventHistory::Entry> EventHistory::Last(std::size_t limit) const {
  std::array<std::size_t, 3> from = {rings_[0].size(), rings_[1].size(), rings_[2].size()};
  for (std::size_t count = 0; count < limit; ++count) {
    std::size_t latest = rings_.size();
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (from[i] == 0) continue;
      if (latest == rings_.size() ||
          rings_[i][from[i] - 1].sequence > rings_[latest][from[latest] - 1].sequence) {
        latest = i;
      }
    }
    if (latest == rings_.size()) break;
    --from[latest];
  }
  return Merge(from, limit);
}

std::vector<EventHistory::Entry> EventHistory::About(std::uint32_t slot, std::size_t limit) const {
  std::vector<Entry> found;
  for (const Ring& ring : rings_) {
    std::ranges::copy_if(ring, std::back_inserter(found), [slot](const Entry& entry) {
      const EventKind kind = entry.event.kind;
      return entry.event.subject.slot == slot && kind != EventKind::kKeyChanged &&
             kind != EventKind::kSecondaryChanged;
    });
  }
  std::ranges::sort(found, {}, &Entry::sequence);
  if (found.size() > limit) {
    found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(limit));
  }
  return found;
}

}  // namespace radix::flock
