#include "fulcrum/state_folder.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "fulcrum/log_folder.h"
#include "services/confab/descriptor.h"
#include "services/confab/node.h"
#include "services/confab/process_stat.h"

namespace radix::fulcrum {
namespace {

absl::Status MakeFolder(const std::filesystem::path& path) {
  const std::string name = path.string();
  if (mkdir(name.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, name);
}

absl::Status CheckPrivate(const std::filesystem::path& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, path.string());
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path.string(), ": is no folder"));
  }
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path.string(), ": must belong to this user and nobody else may enter it; chmod 700 it"));
  }
  return absl::OkStatus();
}

// Whole or not at all: a file that names no process would be worse than none.
absl::Status WritePid(const std::filesystem::path& path) {
  const auto self = confab::ReadProcessStat(getpid());
  if (!self) return absl::UnavailableError("/proc/self/stat: cannot be read");
  const std::string text = absl::StrCat(getpid(), " ", self->start_ticks, "\n");
  const std::string fresh = path.string() + ".new";
  const confab::Descriptor file(
      open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return absl::ErrnoToStatus(errno, fresh);
  errno = ENOSPC;  // which a short write means
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const absl::Status problem = absl::ErrnoToStatus(errno, fresh);
    unlink(fresh.c_str());
    return problem;
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return absl::ErrnoToStatus(errno, path.string());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StateFolder> StateFolder::Take(const std::filesystem::path& path) {
  if (path.string().size() > confab::kStatePathBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("--state: ", path.string(), " is longer than ",
                                                   confab::kStatePathBytesMax,
                                                   " bytes, too long for the sockets in it"));
  }
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) return absl::ErrnoToStatus(error.value(), path.parent_path().string());
  if (auto made = MakeFolder(path); !made.ok()) return made;
  if (auto checked = CheckPrivate(path); !checked.ok()) return checked;
  auto lock = confab::LockFile::Take(path / "fulcrum.lock");
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat(path.string(), ": another fulcrum runs in this state folder"));
  }
  if (!lock.ok()) return lock.status();
  return StateFolder(path, *std::move(lock));
}

void StateFolder::Upkeep() {
  BoundLogs(path_ / "log");
  if (complete_) return;
  absl::Status problem = MakeFolder(path_ / "log");
  problem.Update(WritePid(path_ / "pid"));
  complete_ = problem.ok();
  const std::string text(problem.message());
  if (!complete_ && text != told_) {
    spdlog::warn("{}; going on without it, and trying again every second", text);
  }
  told_ = text;
}

bool MayPass(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status) ||
         absl::IsUnknown(status) || absl::IsInternal(status);
}

}  // namespace radix::fulcrum
