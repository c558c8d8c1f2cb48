// Who should lead, and for how long this node has waited for it.

#pragma once

#include "services/confab/time.h"
#include "services/flock/contact.h"
#include "services/flock/member.h"

namespace radix::flock {

// While somebody ranks first, or says that it leads, a node grants its lease to nobody else. One
// that lies about that and never takes the lease would hold all up for ever. So who was waited for
// so long in vain is passed over for a while. Not thread-safe.
class Awaited {
 public:
  // Longer than an honest candidate takes to ask everybody, or to find out that it cannot.
  static constexpr Duration kPatience{9s};
  // Long enough for another to be sealed; short, since it may be honest, and its requests were
  // lost.
  static constexpr Duration kPassedOver{3s};

  // `id` comes before all others at `now`. `has_lease`: it has this node's, or that is not to be
  // had.
  void Note(const MemberId& id, bool has_lease, Instant now) {
    if (id != id_ || has_lease || now - noted_ > kGap) since_ = now;
    id_ = id;
    noted_ = now;
    if (now - since_ < kPatience) return;
    passed_over_ = id;
    passed_over_until_ = now + kPassedOver;
  }

  bool IsPassedOver(const MemberId& id, Instant now) const {
    return id == passed_over_ && now < passed_over_until_;
  }

 private:
  // Nobody waited in between.
  static constexpr Duration kGap{2s};

  MemberId id_;
  Instant since_ = kNever;
  Instant noted_ = kNever;
  MemberId passed_over_;
  Instant passed_over_until_ = kNever;
};

}  // namespace radix::flock
