// Ports in use, noticed before anything is started.

#pragma once

#include "absl/status/status.h"
#include "clients/cli/lab.h"

namespace radix::cli {

// Whether anybody listens already where the node wants to: its UDP and TCP port, and the TCP port
// behind it. FailedPrecondition, naming the port.
absl::Status CheckPortsFree(const Lab& lab, const LabNode& node);

}  // namespace radix::cli
