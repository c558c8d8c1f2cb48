// Whether a file is a program, before it is sent to nodes that could not run it.

#pragma once

#include <filesystem>

#include "absl/status/status.h"

namespace radix::cli {

// OK for an ELF executable, of whatever machine, and for a script with an interpreter. That the
// file is marked executable is not asked for: pastiche keeps bytes, not modes.
//
// InvalidArgument, beginning with `path` and saying what it is instead. Requires: a regular file.
absl::Status CheckProgramFile(const std::filesystem::path& path);

}  // namespace radix::cli
