// Replaces small files as a whole.

#pragma once

#include <filesystem>
#include <string_view>

#include "absl/status/status.h"

namespace radix::confab {

// Replaces `path`, or makes it, mode 0600: writes `text` beside it, into `path` + `suffix`, syncs
// that, renames it, and syncs the folder. A crash or a full disk at any point leaves the old file
// or the new one, whole; when this returns OK the new one is on disk. What a crash left under
// `suffix` the next call overwrites, so two writers of one file need different ones.
//
// FailedPrecondition, naming the file, when it cannot be done: the old one is still there.
absl::Status ReplaceFile(const std::filesystem::path& path, std::string_view text,
                         std::string_view suffix = ".new");

}  // namespace radix::confab
