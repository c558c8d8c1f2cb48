// Whether one node of a lab is ready.

#pragma once

#include "clients/cli/lab.h"
#include "clients/cli/observe.h"
#include "clients/cli/readiness.h"

namespace radix::cli {

// Ready means: its own reeve shows its own services as serving, and another node that runs and
// answers lists it as alive. If that one knows a sealed leader, the reeves of both are with the
// leader's steward, and the other's shows the node's services as well. Where there is nothing but
// flock: its flock answers, and another's lists it as alive. Needs no leader, and no other node.
Readiness CheckNodeServes(const Lab& lab, const LabNode& node);

// Adds what every node must serve and `node` does not, as `observer` sees it.
void ExpectServices(const LabNode& node, const LabNode& observer, const Serving& serving,
                    Findings& findings);

// Adds the reeve of `node` unless it is with the steward of `epoch`.
void ExpectSteward(const LabNode& node, std::int64_t epoch, Findings& findings);

}  // namespace radix::cli
