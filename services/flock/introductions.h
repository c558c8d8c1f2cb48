// Asking members what they say about themselves.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/member.h"

namespace radix::flock {

// The introductions that are asked for and not yet answered. Not thread-safe.
class Introductions {
 public:
  static constexpr std::size_t kMax = 64;
  static constexpr std::uint32_t kTries = 8;

  // Starts asking `id`; false if kMax are under way. Repeating it changes nothing.
  bool Request(const MemberId& id, Instant now) {
    if (pending_.contains(id)) return true;
    if (pending_.size() >= kMax) return false;
    pending_[id] = {now, 0};
    return true;
  }

  // Those to be asked now.
  std::vector<MemberId> Due(Instant now) {
    std::vector<MemberId> due;
    for (auto at = pending_.begin(); at != pending_.end();) {
      auto& [id, pending] = *at;
      if (pending.next > now) {
        ++at;
      } else if (pending.tries == kTries) {
        at = pending_.erase(at);
      } else {
        ++pending.tries;
        pending.next = now + 300ms * pending.tries;
        due.push_back(id);
        ++at;
      }
    }
    return due;
  }

  // `id` answered. Returns whether it was asked.
  bool HandleAnswer(const MemberId& id) { return pending_.erase(id) > 0; }

  Instant next() const {
    Instant next = Instant::max();
    for (const auto& [id, pending] : pending_) {
      if (pending.next < next) next = pending.next;
    }
    return next;
  }

 private:
  struct Pending {
    Instant next;
    std::uint32_t tries = 0;
  };

  std::map<MemberId, Pending> pending_;
};

}  // namespace radix::flock
