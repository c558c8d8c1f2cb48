// Time as every core sees it: two value types and no clock.
//
// A core never asks what time it is; its caller says so, in the `now` of each call. Only the shell
// half of services/confab reads a clock (tests/tidy holds everybody to it).

#pragma once

#include <chrono>

namespace radix {

// A point on one machine's clock since boot, suspended time included (CLOCK_BOOTTIME). Means
// nothing to another machine, or after a reboot.
using Instant = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

// A span of time, in nanoseconds. Prefer literals: `200ms`.
using Duration = std::chrono::nanoseconds;

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): literals only

}  // namespace radix
