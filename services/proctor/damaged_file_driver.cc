#include "services/proctor/damaged_file_driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace radix::proctor {
namespace {

namespace fs = std::filesystem;

constexpr int kKept = 3;

absl::Status Failure(const fs::path& path, const std::string& reason) {
  return absl::InternalError(absl::StrCat(path.string(), ": ", reason));
}

fs::path DamagedName(const fs::path& path, int number) {
  return absl::StrCat(path.string(), ".damaged-", number);
}

}  // namespace

absl::StatusOr<int> CountDamaged(const fs::path& path) {
  const std::string prefix = path.filename().string() + ".damaged-";
  int count = 0;
  std::error_code error;
  for (fs::directory_iterator each(path.parent_path(), error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    int number = 0;
    if (name.starts_with(prefix) && absl::SimpleAtoi(name.substr(prefix.size()), &number)) {
      count = std::max(count, number);
    }
  }
  if (error) return Failure(path.parent_path(), error.message());
  return count;
}

absl::StatusOr<fs::path> SetAside(const fs::path& path, int number) {
  const fs::path kept = DamagedName(path, number);
  if (link(path.c_str(), kept.c_str()) != 0 && rename(path.c_str(), kept.c_str()) != 0) {
    return Failure(kept, std::strerror(errno));
  }
  if (absl::Status synced = SyncFolderOf(path); !synced.ok()) return synced;
  for (int old = number - kKept; old > 0; --old) {
    std::error_code error;
    if (fs::remove_all(DamagedName(path, old), error) == 0) break;
  }
  return kept;
}

absl::Status SyncFolderOf(const fs::path& path) {
  const int folder = open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && fsync(folder) == 0;
  const int error = errno;
  if (folder >= 0) close(folder);
  return synced ? absl::OkStatus() : Failure(path.parent_path(), std::strerror(error));
}

}  // namespace radix::proctor
