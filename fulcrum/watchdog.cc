#include "fulcrum/watchdog.h"

#include <algorithm>

namespace radix::fulcrum {

void Watchdog::Watch(int pid, Instant now) {
  Advance(now);
  processes_[pid] = {.heard_at = looked_at_, .limit = options_.start};
}

void Watchdog::Forget(int pid) { processes_.erase(pid); }

void Watchdog::HandleAlive(int pid, Instant now) {
  Advance(now);
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return;
  found->second = {.heard_at = looked_at_, .limit = options_.silence};
}

std::vector<Watchdog::Silent> Watchdog::HandleTimeout(Instant now) {
  Advance(now);
  std::vector<Silent> silent;
  for (auto& [pid, process] : processes_) {
    const Duration silence = looked_at_ - process.heard_at;
    if (silence < process.limit) continue;
    silent.push_back({pid, silence});
    process.heard_at = looked_at_;
  }
  return silent;
}

std::optional<Instant> Watchdog::NextTimeout() const {
  if (processes_.empty()) return std::nullopt;
  return last_call_ + options_.look;
}

void Watchdog::Advance(Instant now) {
  looked_at_ += std::clamp<Duration>(now - last_call_, 0ns, options_.look);
  last_call_ = std::max(last_call_, now);
}

}  // namespace radix::fulcrum
