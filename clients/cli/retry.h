// Trying again while the group has no leader for a moment.

#pragma once

#include <algorithm>
#include <thread>

#include "absl/status/status.h"
#include "services/confab/backoff.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"

namespace radix::cli {

// Whether a later try may succeed: nobody leads, or the new leader does not know everything yet.
inline bool IsPassing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsFailedPrecondition(status) ||
         absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

// Calls `attempt(remaining)` until its StatusOr is OK or its error will not pass, with back-off,
// for at most `limit`; returns the last result.
template <typename Attempt>
auto Retry(Duration limit, Attempt attempt) {
  const Instant end = confab::Now() + limit;
  Random random(confab::RandomNumber());
  Backoff backoff(100ms, 1s);
  for (;;) {
    auto result = attempt(std::max<Duration>(end - confab::Now(), 100ms));
    if (result.ok() || !IsPassing(result.status())) return result;
    const Duration wait = backoff.Next(random);
    if (confab::Now() + wait >= end) return result;
    std::this_thread::sleep_for(wait);
  }
}

}  // namespace radix::cli
