// A node's own folder, held by one fulcrum at a time.

#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "services/confab/lock_file.h"

namespace radix::fulcrum {

// Makes `state` (mode 0700) and STATE/log where they are missing, locks STATE/fulcrum.lock, and
// writes "PID START_TICKS" of this process to STATE/pid: the two together name it for good.
//
// Errors, naming the path:
// * InvalidArgument: it is too long for the sockets that it will hold.
// * AlreadyExists: another fulcrum runs in it.
// * FailedPrecondition: it cannot be made, is no folder, or others may enter it.
absl::StatusOr<confab::LockFile> TakeStateFolder(const std::filesystem::path& state);

}  // namespace radix::fulcrum
