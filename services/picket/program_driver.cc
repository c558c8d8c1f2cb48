#include "services/picket/program_driver.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/checksum.h"

namespace radix::picket {
namespace {

using confab::Descriptor;

std::string Reason(const std::string& file) {
  return absl::StrCat(file, ": ", std::strerror(errno));
}

absl::Status CheckMagic(const std::string& file, int fd) {
  std::array<char, 4> start{};
  const ssize_t size = pread(fd, start.data(), start.size(), 0);
  const std::string_view magic(start.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (magic == std::string_view("\177ELF", 4) || magic.starts_with("#!")) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(file, ": is no executable: it begins neither as ELF nor with #!"));
}

absl::StatusOr<Descriptor> OpenPath(const std::string& path, std::uint32_t uid) {
  // Not blocking: should a pipe stand there, opening it must not wait for its writer.
  Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return absl::NotFoundError(Reason(path));
  if (!file) return absl::FailedPreconditionError(Reason(path));
  struct stat info {};
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is no regular file"));
  }
  if ((info.st_mode & 0111) == 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is not executable; chmod +x it"));
  }
  // It is nobody's file by that number, and an interpreter reads it as that user. The folders above
  // do not matter: it is run by descriptor.
  if (uid != 0 && (info.st_mode & 05) != 05) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": user ", uid, ", as whom it would run, may not read and run it; chmod o+rx it"));
  }
  if (auto checked = CheckMagic(path, file.get()); !checked.ok()) return checked;
  return file;
}

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ResourceExhaustedError(Reason("sealed memory"));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

// Copies what is behind `source` into sealed memory, and checks that those bytes are `expected`.
absl::StatusOr<Descriptor> Seal(const std::string& name, int source, const Checksum& expected) {
  const Descriptor memory(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return absl::ResourceExhaustedError(Reason("sealed memory"));
  Sha256 sha256;
  std::vector<char> buffer(256 << 10);
  for (;;) {
    const ssize_t count = read(source, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::InternalError(Reason(name));
    if (count == 0) break;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    sha256.Update(bytes);
    if (auto written = WriteAll(memory.get(), bytes); !written.ok()) return written;
  }
  if (sha256.Finish() != expected) {
    return absl::DataLossError(
        absl::StrCat(expected.ToString(), ": pastiche's file has other bytes; not run"));
  }
  if (fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
      0) {
    return absl::InternalError(Reason("sealed memory"));
  }
  // Opened again, for reading only: the kernel runs nothing that is open for writing.
  Descriptor sealed(
      open(absl::StrCat("/proc/self/fd/", memory.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!sealed) return absl::InternalError(Reason("sealed memory"));
  return sealed;
}

absl::StatusOr<Descriptor> OpenChecksum(const Checksum& checksum, const PasticheClient& pastiche) {
  const auto pulled = pastiche.Pull(checksum);
  if (!pulled.ok()) return pulled.status();
  const Descriptor file(open(pulled->path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return absl::NotFoundError(Reason(pulled->path.string()));
  auto sealed = Seal(checksum.Hex().substr(0, 16), file.get(), checksum);
  if (!sealed.ok()) return sealed;
  if (auto checked = CheckMagic(checksum.ToString(), sealed->get()); !checked.ok()) return checked;
  return sealed;
}

}  // namespace

absl::StatusOr<Descriptor> OpenProgram(const std::string& file, const PasticheClient& pastiche,
                                       std::uint32_t uid) {
  if (file.starts_with("/")) return OpenPath(file, uid);
  const auto checksum = Checksum::Parse(file);
  if (!checksum.ok()) return checksum.status();
  return OpenChecksum(*checksum, pastiche);
}

}  // namespace radix::picket
