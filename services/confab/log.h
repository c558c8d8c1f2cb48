// The log of a process: one line per event on stderr, which its parent keeps in STATE/log.
//
// After StartLog, shells log through spdlog itself: `spdlog::info("joined {}", node)`. Cores never
// log. Key bytes never appear in a log line.

#pragma once

#include <string>

#include "absl/status/status.h"

namespace radix::confab {

// Names the process in its log lines. Call once, at the start of main. RADIX_LOG sets the level:
// trace, debug, info (the default), warn, error.
void StartLog(const std::string& service);

// Logs why this process has to end: `return Fail(status, 1);`. Returns the exit status.
int Fail(const absl::Status& status, int exit_status);

}  // namespace radix::confab
