// Starting the nodes of a lab together, as a rack gets its power.

#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "clients/cli/node_process.h"

namespace radix::cli {

// Calls `start`, in threads, for many nodes at once, of each only once; returns their processes in
// the order of the nodes. After a failure, or Ctrl-C (Cancelled), no further node is started; the
// first one's status is returned, and what was started runs on.
absl::StatusOr<std::vector<ProcessId>> StartNodes(
    const std::vector<LabNode>& nodes,
    const std::function<absl::StatusOr<ProcessId>(const LabNode&)>& start);

}  // namespace radix::cli
