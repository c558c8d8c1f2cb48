// Trying again while the group has no leader for a moment.

#pragma once

#include <algorithm>

#include "absl/status/status.h"
#include "clients/cli/await.h"

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
  Await await(limit);
  for (;;) {
    auto result = attempt(std::max<Duration>(await.remaining(), 100ms));
    if (result.ok() || !IsPassing(result.status()) || !await.Again()) return result;
  }
}

}  // namespace radix::cli
