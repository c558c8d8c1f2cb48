// Whether a lab is ready: all of it serves, and every node knows.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clients/cli/lab.h"

namespace radix::cli {

// What was seen.
struct Readiness {
  // What is missing, for people; empty when the lab is ready.
  std::vector<std::string> missing;
  std::string leader;
  std::int64_t epoch = 0;
};

// Ready means: a sealed leader; the built-in services' doneness is 1; every node's own reeve shows
// each (node, api) that must be there as serving, in the leader's epoch; and every node's flock
// knows all the others by name. Where there is nothing but flock: every node's flock lists all the
// others as alive, by address, and the same sealed leader. Stops at the first thing that is
// missing, unless `all` is set.
Readiness CheckReady(const Lab& lab, bool all);

// The same for one node: its own reeve shows its own services as serving, and another node that
// runs and answers lists it as alive; and shows its services too, if both have a steward. Where
// there is nothing but flock: its flock answers, and another's lists it as alive. Needs no leader,
// and no other node.
Readiness CheckNodeServes(const Lab& lab, const LabNode& node);

}  // namespace radix::cli
