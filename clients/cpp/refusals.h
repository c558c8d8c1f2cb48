// What the log says of peers that were refused.

#pragma once

#include "absl/status/status.h"

namespace radix {

// Says that `whom`, for example "a caller", was refused, and why: at most ten times a second in all
// of this process, for whoever is refused may come back at once. Returns `why`. Thread-safe.
absl::Status SayRefused(const char* whom, const absl::Status& why);

}  // namespace radix
