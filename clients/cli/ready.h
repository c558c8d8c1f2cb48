// Whether a lab is ready: all of it serves, and every node knows.

#pragma once

#include "clients/cli/lab.h"
#include "clients/cli/readiness.h"

namespace radix::cli {

// Ready means: a sealed leader; the built-in services' doneness is 1; every node's own reeve shows
// each (node, api) that must be there as serving, in the leader's epoch; and every node's flock
// knows all the others by name. Where there is nothing but flock, CheckFlockReady decides. Stops
// at the first thing that is missing, unless `all` is set.
Readiness CheckReady(const Lab& lab, bool all);

}  // namespace radix::cli
