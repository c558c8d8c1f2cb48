// How long a node that follows no leader goes on trusting: it cannot hear what is revoked
// meanwhile.

#pragma once

#include <optional>

#include "services/confab/time.h"

namespace radix::trust {

// Decides whether this node has had no sealed leader for too long. One that has just begun counts
// from there. Not thread-safe.
class Contact {
 public:
  // `grace` nullopt: however long it is, it does not matter.
  Contact(std::optional<Duration> grace, Instant began) : grace_(grace), alone_since_(began) {}

  // All of these return whether that changed cut_off().
  bool SetGrace(std::optional<Duration> grace, Instant now) {
    grace_ = grace;
    return HandleTimeout(now);
  }
  // There is a leader, as the node's flock says; or there is none.
  bool HandleLeader(bool has_one, Instant now) {
    if (has_one) {
      alone_since_.reset();
    } else if (!alone_since_) {
      alone_since_ = now;
    }
    return HandleTimeout(now);
  }
  bool HandleTimeout(Instant now) {
    const bool before = cut_off_;
    cut_off_ = alone_since_ && grace_ && now - *alone_since_ >= *grace_;
    return cut_off_ != before;
  }
  // When HandleTimeout must next be called.
  Instant NextTimeout() const {
    return cut_off_ || !alone_since_ || !grace_ ? Instant::max() : *alone_since_ + *grace_;
  }

  bool cut_off() const { return cut_off_; }

 private:
  std::optional<Duration> grace_;
  std::optional<Instant> alone_since_;  // nullopt while there is a leader
  bool cut_off_ = false;
};

}  // namespace radix::trust
