// A lab's nodes and processes, as `radix lab status` shows them.

#pragma once

#include "clients/cli/lab.h"
#include "clients/cli/output.h"

namespace radix::cli {

// `state`, and of each node its name, address, pid (null unless it runs) and whether it runs. Of a
// lab of network namespaces also the names of these, `netns` of each node and `hub`.
Json LabStatus(const Lab& lab);

}  // namespace radix::cli
