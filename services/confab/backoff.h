// How long to wait before the next try: the one back-off of every retry in Radix.

#pragma once

#include <algorithm>

#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix {

// Exponential back-off with jitter: the n-th wait is drawn from [w/2, w], where w doubles from
// `first` up to `most`. Half of it random, so that many who failed together do not come back
// together. Not thread-safe.
class Backoff {
 public:
  // Requires: 0 < first <= most.
  Backoff(Duration first, Duration most) : first_(first), most_(most), next_(first) {}

  // The wait before the next try.
  Duration Next(Random& random) {
    const Duration wait = next_;
    next_ = std::min(next_ * 2, most_);
    return random.Between(wait / 2, wait);
  }

  // The last try worked: starts again at `first`.
  void Reset() { next_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration next_;
};

}  // namespace radix
