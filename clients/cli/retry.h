// Trying again while the group has no leader for a moment.

#pragma once

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "clients/cli/await.h"

namespace radix::cli {

// Whether a later try may succeed: nobody leads, or the new leader does not know everything yet.
inline bool IsPassing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsFailedPrecondition(status) ||
         absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

// Calls `attempt(remaining)` until its StatusOr is OK or its error will not pass, as `passing`
// says, with back-off, for at most `limit`. Returns the last result; but where the time ended
// without an answer, the last answer before, because that one says why.
template <typename Attempt, typename Passing = bool (*)(const absl::Status&)>
auto Retry(Duration limit, Attempt attempt, Passing passing = IsPassing) {
  Await await(limit);
  auto answer = attempt(std::max<Duration>(await.remaining(), 100ms));
  while (!answer.ok() && passing(answer.status()) && await.Again()) {
    auto next = attempt(std::max<Duration>(await.remaining(), 100ms));
    const bool silent = !next.ok() && absl::IsDeadlineExceeded(next.status());
    if (!silent || absl::IsDeadlineExceeded(answer.status())) answer = std::move(next);
  }
  return answer;
}

}  // namespace radix::cli
