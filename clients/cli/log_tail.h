// What the logs of a node say last, for a command that has to tell why something failed.

#pragma once

#include <string>
#include <vector>

#include "clients/cli/lab.h"

namespace radix::cli {

// The last lines of NODE/log/fulcrum.log, each behind a line's end; empty when there are none.
std::string LogTail(const LabNode& node);

// The last error in each of the logs of `nodes`, of those that wrote one: each behind a line's end,
// with the log it is from; at most 10.
std::string LastErrors(const std::vector<LabNode>& nodes);

}  // namespace radix::cli
