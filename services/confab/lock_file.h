// A file that at most one process holds.

#pragma once

#include <filesystem>

#include "absl/status/statusor.h"

namespace radix::confab {

// Held from Take until it is destroyed or the process dies. Guards a Unix socket path: a second
// gRPC server on one would steal it without an error.
class LockFile {
 public:
  // AlreadyExists, naming the path, when another process holds it; otherwise as open(2) fails.
  static absl::StatusOr<LockFile> Take(const std::filesystem::path& path);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace radix::confab
