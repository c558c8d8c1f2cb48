// A lab's nodes and processes, as `radix lab status` shows them.

#pragma once

#include "clients/cli/lab.h"
#include "clients/cli/output.h"

namespace radix::cli {

// `state`, and of each node its name, address, pid (null unless it runs) and whether it runs.
Json LabStatus(const Lab& lab);

}  // namespace radix::cli
