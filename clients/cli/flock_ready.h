// Whether a lab that runs nothing but flock is ready.

#pragma once

#include "clients/cli/lab.h"
#include "clients/cli/readiness.h"

namespace radix::cli {

// Ready means: every node's flock lists all the others as alive, by address, and the same sealed
// leader. Stops at the first node where something is missing, unless `all` is set.
Readiness CheckFlockReady(const Lab& lab, bool all);

}  // namespace radix::cli
