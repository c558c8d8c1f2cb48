// Starts one process of a node.

#pragma once

#include <sys/types.h>

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
  std::filesystem::path log;  // gets what it writes to stdout and stderr, appended
  int descriptor = -1;        // becomes its descriptor 3; -1: it has none
};

// A log longer than this becomes LOG.1 when its process is started again.
constexpr std::uintmax_t kLogBytesMax = 8 << 20;

// Starts a process: in a group of its own, with no signal blocked or ignored, stdin from
// /dev/null, and no descriptor but 0, 1, 2 and `descriptor`. A log that cannot be written does not
// keep it from starting.
//
// Internal, with the system's message, if it cannot be started.
absl::StatusOr<pid_t> SpawnProcess(const SpawnOptions& options);

// The last line that was written to `log`, at most 300 bytes of it; empty if there is none.
std::string LastLine(const std::filesystem::path& log);

}  // namespace radix::fulcrum
