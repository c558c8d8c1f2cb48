// How often something may happen.

#pragma once

#include <algorithm>

#include "services/confab/time.h"
#include "services/flock/contact.h"

namespace radix::flock {

// Lets something happen once in `interval` over time, and up to `burst` times at once after a
// silence. What is refused costs nothing later. Not thread-safe.
//
// Source: the generic cell rate algorithm (ITU-T I.371).
class Pace {
 public:
  Pace(Duration interval, int burst) : interval_(interval), credit_(interval * burst) {}

  // Whether it may happen now.
  bool Has(Instant now) const { return Next(now) <= now; }

  // Whether it may happen now; if so, it counts as done.
  bool Take(Instant now) {
    const bool may = Has(now);
    if (may) next_ = Next(now);
    return may;
  }

 private:
  Instant Next(Instant now) const { return std::max(next_, now - credit_) + interval_; }

  Duration interval_;
  Duration credit_;
  Instant next_ = kNever;
};

}  // namespace radix::flock
