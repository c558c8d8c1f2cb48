// How long a service that was started for the leader of one epoch, steward or proctor, may act.

#pragma once

#include <cstdint>

#include "services/confab/time.h"
#include "services/registry/group.h"

namespace radix::registry {

// The lease of the sealed leader of one epoch, as its own node's flock reports it. Not thread-safe.
class LeaderLease {
 public:
  // How long flock may take to confirm the epoch.
  static constexpr Duration kConfirmLimit = 5s;

  LeaderLease(std::uint64_t epoch, Instant now) : epoch_(epoch), ends_at_(now + kConfirmLimit) {}

  // What flock says now.
  void HandleGroup(const Group& group, Instant now) {
    if (Over(now)) {
      over_ = true;  // what came too late revives nothing
      return;
    }
    if (group.epoch == epoch_ && group.lease_remaining) {
      confirmed_ = true;
      ends_at_ = now + *group.lease_remaining;
    } else if (confirmed_ || group.epoch > epoch_) {
      over_ = true;
    }
  }

  std::uint64_t epoch() const { return epoch_; }

  // Whether the service may act: check before every acknowledgement.
  bool Held(Instant now) const { return confirmed_ && !over_ && now < ends_at_; }

  // Whether flock has confirmed the epoch; stays true when it is over.
  bool Confirmed() const { return confirmed_; }

  // Whether it can never act again.
  bool Over(Instant now) const { return over_ || now >= ends_at_; }

  // When it is over unless it is renewed.
  Instant ends_at() const { return ends_at_; }

 private:
  const std::uint64_t epoch_;
  bool confirmed_ = false;
  bool over_ = false;
  Instant ends_at_;
};

}  // namespace radix::registry
