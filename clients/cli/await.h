// Waiting for what only questions can tell: whether the processes of a group have come to agree.

#pragma once

#include <vector>

#include "services/confab/backoff.h"
#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix::cli {

// The one place where a command asks again: with back-off and jitter, up to a limit. What the
// kernel tells by itself (a process that ended, a Ctrl-C) is not asked for but ends the wait:
//
//   Await await(60s);
//   do {
//     if (IsSo()) return absl::OkStatus();
//   } while (await.Again({ended.get()}));
//   return absl::DeadlineExceededError(...);
class Await {
 public:
  // From now on, for at most `limit`.
  explicit Await(Duration limit);

  // What is left of the limit; 0 when it is over.
  Duration remaining() const;

  // Waits until it is time to ask again, or until one of `events`, which are descriptors, is
  // readable; those below 0 never are. False, at once, when the limit would be over before that:
  // then what was found last is the answer.
  bool Again(const std::vector<int>& events = {});

 private:
  const Instant end_;
  Random random_;
  Backoff backoff_;
};

}  // namespace radix::cli
