// Reads the charter and the key file from disk.

#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/charter.h"

namespace radix::confab {

// A secondary key: 32 random bytes.
using SecondaryKey = std::array<std::uint8_t, 32>;

// Reads and checks a charter (YAML). InvalidArgument for a file that is malformed, has an unknown
// or repeated field, or a value that Charter::Create refuses; NotFound when it cannot be read. The
// message begins with `PATH:LINE: `.
absl::StatusOr<Charter> LoadCharter(const std::filesystem::path& path);

// Reads the keys of the charter at `charter_path`: the first line is the key in use, later lines
// are other slots of the ring; at most 3. NotFound when the file is missing, PermissionDenied when
// group or others may do anything with it, InvalidArgument, naming the line, when it is malformed.
// Messages never hold key bytes.
absl::StatusOr<std::vector<SecondaryKey>> LoadKeys(const std::filesystem::path& charter_path,
                                                   const Charter& charter);

// The key file of the charter at `charter_path`.
std::filesystem::path KeyFilePath(const std::filesystem::path& charter_path,
                                  const Charter& charter);

// Replaces a key file as ReplaceFile does: one line for each of `keys`, the one in use first. Where
// `path` is a symbolic link, what it points to. `by` must differ between nodes that share the file,
// as those of a lab do; requires: no '/'. Errors: as ReplaceFile; the old file is then still there.
absl::Status ReplaceKeyFile(const std::filesystem::path& path,
                            const std::vector<SecondaryKey>& keys, const std::string& by);

// Makes a key file of one random key, mode 0600. AlreadyExists when there is a file of that name.
absl::Status MakeKeyFile(const std::filesystem::path& path);

}  // namespace radix::confab
