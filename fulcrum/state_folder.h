// A node's own folder, held by one fulcrum at a time.

#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/confab/lock_file.h"

namespace radix::fulcrum {

// Held until it is destroyed or the process dies. Not thread-safe.
class StateFolder {
 public:
  // Makes `path` (mode 0700) where it is missing and locks PATH/fulcrum.lock.
  //
  // Errors, naming the path and the system's reason:
  // * InvalidArgument: it is too long for the sockets that it will hold.
  // * AlreadyExists: another fulcrum runs in it.
  // * FailedPrecondition: it is no folder, or others may enter it.
  // * as mkdir(2) and open(2) fail; see MayPass.
  static absl::StatusOr<StateFolder> Take(const std::filesystem::path& path);

  // To be called about every second. Makes PATH/log and writes "PID START_TICKS" of this process to
  // PATH/pid (the two together name it for good), where that is not done yet: on a full disk a node
  // lives without. Bounds the logs. What goes wrong is logged, once.
  void Upkeep();

 private:
  StateFolder(std::filesystem::path path, confab::LockFile lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  confab::LockFile lock_;
  bool complete_ = false;
  std::string told_;  // the last problem
};

// Whether what failed so may succeed later without anybody's help: a disk is full or fails, there
// are no more descriptors.
bool MayPass(const absl::Status& status);

}  // namespace radix::fulcrum
