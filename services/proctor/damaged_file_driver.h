// Files that are set aside because they are damaged: PATH.damaged-1, PATH.damaged-2, ...

#pragma once

#include <filesystem>

#include "absl/status/statusor.h"

namespace radix::proctor {

// How often `path` was set aside: the greatest number there is beside it; 0 for never.
absl::StatusOr<int> CountDamaged(const std::filesystem::path& path);

// Gives what is at `path` the name PATH.damaged-`number` too, and removes all but the three latest.
// It also stays at `path`, to be replaced by a rename, unless it is no file or the file system
// knows no links. Durable when it succeeds.
absl::StatusOr<std::filesystem::path> SetAside(const std::filesystem::path& path, int number);

// Has what was renamed or linked in the folder of `path` survive a crash.
absl::Status SyncFolderOf(const std::filesystem::path& path);

}  // namespace radix::proctor
