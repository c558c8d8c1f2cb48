#include "fulcrum/state_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/node.h"
#include "services/confab/process_stat.h"

namespace radix::fulcrum {
namespace {

absl::Status MakeFolder(const std::filesystem::path& path) {
  const std::string name = path.string();
  if (mkdir(name.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(name, ": ", std::strerror(errno)));
}

absl::Status CheckPrivate(const std::filesystem::path& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path.string(), ": is no folder"));
  }
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path.string(), ": must belong to this user and nobody else may enter it; chmod 700 it"));
  }
  return absl::OkStatus();
}

absl::Status WritePid(const std::filesystem::path& path) {
  const auto self = confab::ReadProcessStat(getpid());
  if (!self) return absl::FailedPreconditionError("/proc/self/stat: cannot be read");
  const std::filesystem::path fresh = path.string() + ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << getpid() << ' ' << self->start_ticks << '\n';
    file.close();
    if (!file) return absl::FailedPreconditionError(absl::StrCat(fresh.string(), ": not written"));
  }
  std::error_code error;
  std::filesystem::rename(fresh, path, error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path.string(), ": ", error.message()));
}

}  // namespace

absl::StatusOr<confab::LockFile> TakeStateFolder(const std::filesystem::path& state) {
  if (state.string().size() > confab::kStatePathBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("--state: ", state.string(), " is longer than ",
                                                   confab::kStatePathBytesMax,
                                                   " bytes, too long for the sockets in it"));
  }
  std::error_code error;
  if (state.has_parent_path()) std::filesystem::create_directories(state.parent_path(), error);
  if (auto made = MakeFolder(state); !made.ok()) return made;
  if (auto checked = CheckPrivate(state); !checked.ok()) return checked;
  auto lock = confab::LockFile::Take(state / "fulcrum.lock");
  if (!lock.ok()) {
    if (!absl::IsAlreadyExists(lock.status())) return lock;
    return absl::AlreadyExistsError(
        absl::StrCat(state.string(), ": another fulcrum runs in this state folder"));
  }
  if (auto made = MakeFolder(state / "log"); !made.ok()) return made;
  if (auto written = WritePid(state / "pid"); !written.ok()) return written;
  return lock;
}

}  // namespace radix::fulcrum
