#include "fulcrum/log_folder.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "services/confab/descriptor.h"

namespace radix::fulcrum {
namespace {

using confab::Descriptor;

// Copies `from`'s bytes from `start` to `end` to a new file at `to`. False, with errno, when it
// cannot.
bool Copy(int from, off_t start, off_t end, const std::string& to) {
  const Descriptor copy(open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!copy) return false;
  while (start < end) {
    // In the kernel: the supervisor, which does this, has no time for it.
    const ssize_t sent = sendfile(copy.get(), from, &start, static_cast<std::size_t>(end - start));
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return sent == 0;
  }
  return true;
}

void Bound(const std::string& log) {
  constexpr auto kMost = static_cast<off_t>(kLogBytesMax);
  struct stat info {};
  if (lstat(log.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= kMost) return;
  const Descriptor file(open(log.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!file || fstat(file.get(), &info) != 0) return;
  const std::string before = log + ".1";
  if (!Copy(file.get(), info.st_size - kMost, info.st_size, before)) {
    spdlog::warn("{}: {}; what it said before is lost", before, std::strerror(errno));
    unlink(before.c_str());
  }
  if (ftruncate(file.get(), 0) != 0) spdlog::warn("{}: {}", log, std::strerror(errno));
}

}  // namespace

void BoundLogs(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".log") Bound(entry->path().string());
  }
}

std::string LastLine(const std::filesystem::path& log) {
  const Descriptor file(open(log.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  std::array<char, 301> tail{};
  const off_t start = std::max<off_t>(0, info.st_size - static_cast<off_t>(tail.size()));
  const ssize_t size = pread(file.get(), tail.data(), tail.size(), start);
  if (size <= 0) return "";
  std::string text(tail.data(), static_cast<std::size_t>(size));
  if (text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

}  // namespace radix::fulcrum
