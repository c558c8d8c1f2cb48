#include "tests/sim/health.h"

#include <algorithm>

namespace radix::sim {
namespace {

constexpr Duration kRecovery = 10s;

}  // namespace

void Health::SetSick(std::size_t node, bool sick, Instant now) {
  sick_until_[node] = sick ? Instant::max() : now + kRecovery;
}

void Health::Crashed(const flock::MemberId& id, Instant now) {
  crashes_[id] = {now, Instant::min(), false, std::vector<bool>(sick_until_.size())};
}

void Health::Removed(std::size_t observer, const flock::MemberId& id, const std::size_t* subject,
                     Instant now) {
  const auto crash = crashes_.find(id);
  // Who sleeps finds it out when it wakes.
  if (crash != crashes_.end() && !IsSick(observer, now)) {
    crash->second.last_removed = now;
    crash->second.found_dead = true;
    crash->second.removed_by[observer] = true;
  }
  if (subject == nullptr || IsSick(*subject, now)) return;
  ++(IsSick(observer, now) ? wrong_removals_by_sick_ : wrong_removals_);
}

void Health::Listed(std::size_t observer, const flock::MemberId& id) {
  const auto crash = crashes_.find(id);
  if (crash != crashes_.end()) crash->second.removed_by[observer] = false;
}

void Health::Unlisted(std::size_t observer, const flock::MemberId& id, Instant now) {
  const auto crash = crashes_.find(id);
  if (crash == crashes_.end() || crash->second.removed_by[observer] || IsSick(observer, now)) {
    return;
  }
  crash->second.last_removed = now;
  crash->second.removed_by[observer] = true;
}

std::vector<Duration> Health::RemovalTimes() const {
  std::vector<Duration> times;
  for (const auto& [id, crash] : crashes_) {
    if (crash.found_dead) times.push_back(crash.last_removed - crash.at);
  }
  std::ranges::sort(times);
  return times;
}

}  // namespace radix::sim
