// The clocks. Only shells read them; cores are told the time.

#pragma once

#include <chrono>
#include <cstdint>

#include "services/confab/time.h"

namespace radix::confab {

// Now, on the clock that all cores live by: CLOCK_BOOTTIME, which also counts suspended time, so
// that a lease cannot outlive a machine's sleep. Thread-safe.
Instant Now();

// The wall clock, for people and for messages between processes of one node. It may jump; nothing
// is decided by it across nodes. Thread-safe.
std::chrono::system_clock::time_point WallNow();

// What the wall clock shows when `limit` has passed: gRPC takes its deadlines so. Thread-safe.
std::chrono::system_clock::time_point WallDeadline(Duration limit);

// WallNow in nanoseconds since 1970. Thread-safe.
std::int64_t WallNanoseconds();

}  // namespace radix::confab
