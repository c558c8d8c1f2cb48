// Starts one process of a node.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace radix::fulcrum {

// What is started, and how.
struct SpawnOptions {
  std::filesystem::path program;
  std::vector<std::string> argv;  // argv[0] too
  std::vector<std::string> env;
  std::filesystem::path
      log;  // gets what it writes to stdout and stderr, appended (log_folder.h bounds it)
  int descriptor = -1;  // becomes its descriptor 3; -1: it has none
  // What it may have of private memory, in bytes; 0: any amount. Then its threads have stacks of
  // 1 MiB, instead of 8: the kernel counts what is promised, not what is touched.
  std::uint64_t memory_max = 0;
};

// Starts a process: in a group of its own, with no signal blocked or ignored, stdin from
// /dev/null, and no descriptor but 0, 1, 2 and `descriptor`. A log that cannot be written does not
// keep it from starting.
//
// Internal, with the system's message, if it cannot be started.
absl::StatusOr<pid_t> SpawnProcess(const SpawnOptions& options);

}  // namespace radix::fulcrum
