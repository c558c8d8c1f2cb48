#include "services/confab/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/confab/descriptor.h"

namespace radix::confab {
namespace {

absl::Status ReplaceFailure(const std::filesystem::path& path) {
  return absl::FailedPreconditionError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
}

absl::Status WriteAndSync(const std::filesystem::path& path, std::string_view text) {
  const Descriptor fd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || fchmod(fd.get(), 0600) != 0) return ReplaceFailure(path);
  while (!text.empty()) {
    const ssize_t size = write(fd.get(), text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return ReplaceFailure(path);  // a short write is followed by one that says why
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return fsync(fd.get()) == 0 ? absl::OkStatus() : ReplaceFailure(path);
}

}  // namespace

absl::Status ReplaceFile(const std::filesystem::path& path, std::string_view text,
                         std::string_view suffix) {
  const std::filesystem::path beside = path.string() + std::string(suffix);
  if (absl::Status written = WriteAndSync(beside, text); !written.ok()) {
    unlink(beside.c_str());  // half a file is of no use, and takes room
    return written;
  }
  if (rename(beside.c_str(), path.c_str()) != 0) {
    absl::Status failure = ReplaceFailure(path);
    unlink(beside.c_str());
    return failure;
  }
  const Descriptor folder(open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && fsync(folder.get()) == 0 ? absl::OkStatus() : ReplaceFailure(path.parent_path());
}

}  // namespace radix::confab
