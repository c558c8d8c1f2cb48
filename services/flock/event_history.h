// What happened lately: kept in memory, bounded, and gone with the process.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/event.h"

namespace radix::flock {

using WallTime = std::chrono::system_clock::time_point;

// The events of one flock, the oldest of which make room. Three kinds are kept apart, so that what
// happens often (ten thousand members that join) pushes out nothing that happens seldom (a leader's
// end). Introductions are not kept: names are looked up when an event is shown. An alarm that was
// raised within kRepeatAfter is left out: one that lasts must not push out what led to it.
//
// At most 6 MB, when all three are full. Not thread-safe.
class EventHistory {
 public:
  static constexpr std::size_t kArrivalsMax = 16'384;
  static constexpr std::size_t kVerdictsMax = 16'384;  // suspicions, refutations, removals, stalls
  static constexpr std::size_t kGroupMax = 4'096;      // leaders, keys, alarms
  static constexpr Duration kRepeatAfter = 1min;

  struct Entry {
    std::int64_t sequence = 0;  // from 1, one more for each event that was kept
    WallTime at;
    Event event;
  };

  // Keeps `event`, which happened at `at`. Returns its sequence; nullopt if it is not kept.
  std::optional<std::int64_t> Add(Event event, WallTime at);

  // The last `limit` events, oldest first.
  std::vector<Entry> Last(std::size_t limit) const;
  // The first `limit` events after `sequence`, oldest first.
  std::vector<Entry> After(std::int64_t sequence, std::size_t limit) const;
  // The last `limit` events whose subject is, or was, at `slot`, but for changes of keys; oldest
  // first.
  std::vector<Entry> About(std::uint32_t slot, std::size_t limit) const;

  // The sequence of the last event that was kept; 0 before the first.
  std::int64_t last() const { return sequence_; }
  // Whether an event about a member had to make room.
  bool is_complete() const { return dropped_ == 0; }

 private:
  using Ring = std::deque<Entry>;

  static std::size_t RingOf(EventKind kind);
  bool IsRepeated(const Event& alarm);
  // `rings[i]` from place `from[i]` on, merged by sequence; the first `limit`.
  std::vector<Entry> Merge(std::array<std::size_t, 3> from, std::size_t limit) const;

  static constexpr std::array<std::size_t, 3> kMost = {kArrivalsMax, kVerdictsMax, kGroupMax};
  static constexpr std::size_t kAlarmsMax = 256;

  std::array<Ring, 3> rings_;
  std::map<std::pair<Evidence, MemberId>, Instant> alarms_;  // when each was kept last
  std::int64_t sequence_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace radix::flock
