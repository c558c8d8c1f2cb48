#include "clients/cli/start_nodes.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "clients/cli/interrupt.h"

namespace radix::cli {
namespace {

// A new process has to wait for its turn before who started it may go on. One after another, each
// of two hundred would wait behind all that those before it have begun to do.
constexpr std::size_t kAtOnce = 64;

}  // namespace

absl::StatusOr<std::vector<ProcessId>> StartNodes(
    const std::vector<LabNode>& nodes,
    const std::function<absl::StatusOr<ProcessId>(const LabNode&)>& start) {
  std::vector<ProcessId> processes(nodes.size());
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> ends = false;
  std::mutex mutex;
  absl::Status failure;
  const auto start_some = [&] {
    for (std::size_t i; !ends && (i = next++) < nodes.size();) {
      auto process = Interrupted() ? absl::CancelledError("interrupted") : start(nodes[i]);
      if (process.ok()) {
        processes[i] = *process;
        continue;
      }
      ends = true;
      const std::lock_guard lock(mutex);
      failure.Update(process.status());
    }
  };
  {
    std::vector<std::jthread> threads(std::min(kAtOnce, nodes.size()));
    for (std::jthread& each : threads) each = std::jthread(start_some);
  }
  if (!failure.ok()) return failure;
  return processes;
}

}  // namespace radix::cli
