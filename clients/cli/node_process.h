// The processes of a lab's nodes: started, found again, and ended.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "services/confab/descriptor.h"
#include "services/confab/time.h"

namespace radix::cli {

// A process that cannot be mistaken for a later one of the same number.
struct ProcessId {
  pid_t pid = 0;
  std::int64_t start_ticks = 0;  // see confab::ProcessStat
};

// Whether that very process runs; a zombie does not.
bool IsRunning(const ProcessId& process);

// Becomes readable when that very process ends. None when it runs no more.
confab::Descriptor EndOf(const ProcessId& process);

// The node's fulcrum, as NODE/pid has it, or as it is found where that file names none; nullopt
// when it does not run.
std::optional<ProcessId> RunningNode(const LabNode& node);

// The folder of the running program, where `fulcrum` lies too.
std::filesystem::path ProgramFolder();

// Starts the node's fulcrum, detached from this terminal and in the node's own network, if it has
// one, and writes NODE/pid; when it runs
// already, returns that one. Its output goes to NODE/log/fulcrum.log. NotFound when there is no
// fulcrum beside this program.
absl::StatusOr<ProcessId> StartNode(const Lab& lab, const LabNode& node);

// Sends `signal` to the fulcrum of every node, stopped or not, whether NODE/pid knows of it or not;
// then waits until none of the nodes' processes is left, plugins included. What is left after
// `limit`, or at once when `signal` is SIGKILL, is killed. DeadlineExceeded when even that did not
// end them.
absl::Status EndNodes(const std::vector<LabNode>& nodes, int signal, Duration limit);

}  // namespace radix::cli
