#include "services/pastiche/store_driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::pastiche {

using confab::Descriptor;

struct Store::Folder {
  std::string path;
  Descriptor fd;
  StoreOptions options;
  std::atomic<std::uint64_t> next_incoming{0};
  std::mutex
      names;  // held while a HEX changes: a file is set aside only if it is still the bad one

  // Carries out one step; 0 or its errno.
  template <typename Operation>
  int Do(Step step, Operation operation) const {
    if (options.before_step) {
      if (const int error = options.before_step(step); error != 0) return error;
    }
    return operation() == 0 ? 0 : errno;
  }
};

namespace {

constexpr std::string_view kIncoming = "incoming-";
constexpr std::size_t kPieceBytes = 256 * 1024;

absl::Status DiskError(const std::string& what, int error) {
  const std::string message = absl::StrCat(what, ": ", strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

// The checksum that a file of this name has; nullopt if it is none of the store's files.
std::optional<Checksum> ParseName(const std::string& name) {
  const auto checksum = Checksum::Parse(name);
  if (!checksum.ok() || checksum->Hex() != name) return std::nullopt;
  return *checksum;
}

// Calls `visit(name)` for everything in the folder; 0 or an errno.
template <typename Visit>
int ForEachName(int folder, Visit visit) {
  // A descriptor of its own: the position in a folder belongs to the open file.
  const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(fd), closedir);
  if (entries == nullptr) {
    const int error = errno;
    close(fd);
    return error;
  }
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(entries.get());
    if (entry == nullptr) return errno;
    visit(std::string(entry->d_name));
  }
}

// Makes the entry of `path` in its parent durable.
int SyncParent(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor fd(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.get() >= 0 && fsync(fd.get()) == 0 ? 0 : errno;
}

}  // namespace

Store::Store(std::shared_ptr<Folder> folder) : folder_(std::move(folder)) {}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& folder,
                                                   StoreOptions options) {
  auto opened = std::make_shared<Folder>();
  opened->path = folder;
  opened->options = std::move(options);
  const std::string what = absl::StrCat("the store in ", folder);
  if (mkdir(folder.c_str(), 0700) == 0) {
    if (const int error = SyncParent(folder)) return DiskError(what, error);
  } else if (errno != EEXIST) {
    return DiskError(what, errno);
  }
  opened->fd = Descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const int fd = opened->fd.get();
  if (fd < 0) return DiskError(what, errno);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return DiskError(what, errno);
    return absl::FailedPreconditionError(
        absl::StrCat(what, " is in use by another process; end that one first"));
  }
  std::vector<std::string> leftovers;
  int error = ForEachName(fd, [&](const std::string& name) {
    if (name.starts_with(kIncoming)) leftovers.push_back(name);
  });
  if (error != 0) return DiskError(what, error);
  for (const std::string& name : leftovers) {
    if (unlinkat(fd, name.c_str(), 0) != 0) {
      return DiskError(absl::StrCat("cannot remove ", folder, "/", name), errno);
    }
  }
  return std::unique_ptr<Store>(new Store(std::move(opened)));
}

absl::StatusOr<std::unique_ptr<Incoming>> Store::Begin(std::optional<Checksum> expected) const {
  std::string name = absl::StrCat(std::string(kIncoming), folder_->next_incoming++);
  Descriptor file(openat(folder_->fd.get(), name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return DiskError(absl::StrCat("cannot make ", folder_->path, "/", name), errno);
  }
  return std::make_unique<Incoming>(folder_, expected, std::move(name), std::move(file));
}

absl::StatusOr<std::unique_ptr<StoredFile>> Store::OpenFile(const Checksum& checksum) const {
  // O_NONBLOCK: whatever else somebody put there, opening it must not wait.
  Descriptor file(openat(folder_->fd.get(), checksum.Hex().c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (file.get() < 0) {
    if (errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat(checksum.ToString(), " is not on this node"));
    }
    if (errno != ELOOP) return DiskError(absl::StrCat("cannot open ", PathOf(checksum)), errno);
  } else if (fstat(file.get(), &facts) != 0) {
    return DiskError(absl::StrCat("cannot open ", PathOf(checksum)), errno);
  }
  if (file.get() < 0 || !S_ISREG(facts.st_mode)) {
    return absl::NotFoundError(absl::StrCat(PathOf(checksum), " is no regular file"));
  }
  return std::make_unique<StoredFile>(folder_, checksum, std::move(file), facts.st_size);
}

absl::StatusOr<FileInfo> Store::Verify(const Checksum& checksum) const {
  auto file = OpenFile(checksum);
  if (!file.ok()) return file.status();
  do {
    if (const auto piece = (*file)->Read(kPieceBytes); !piece.ok()) return piece.status();
  } while (!(*file)->at_end());
  return FileInfo{checksum, (*file)->size_bytes()};
}

absl::StatusOr<std::vector<FileInfo>> Store::List(std::optional<Checksum> after,
                                                  std::size_t most) const {
  std::map<Checksum, std::int64_t> least;  // the first `most` of those seen: memory for one page
  const int error = ForEachName(folder_->fd.get(), [&](const std::string& name) {
    const auto checksum = ParseName(name);
    if (!checksum || (after && *checksum <= *after)) return;
    if (least.size() >= most && (most == 0 || *checksum > least.rbegin()->first)) return;
    struct stat facts {};
    if (fstatat(folder_->fd.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (!S_ISREG(facts.st_mode)) return;
    least[*checksum] = facts.st_size;
    if (least.size() > most) least.erase(std::prev(least.end()));
  });
  if (error != 0) return DiskError(absl::StrCat("cannot list ", folder_->path), error);
  std::vector<FileInfo> files;
  for (const auto& [checksum, size] : least) files.push_back({checksum, size});
  return files;
}

std::string Store::PathOf(const Checksum& checksum) const {
  return absl::StrCat(folder_->path, "/", checksum.Hex());
}

Incoming::Incoming(std::shared_ptr<Store::Folder> folder, std::optional<Checksum> expected,
                   std::string name, Descriptor file)
    : folder_(std::move(folder)),
      expected_(expected),
      name_(std::move(name)),
      file_(std::move(file)) {}

Incoming::~Incoming() {
  if (!name_.empty()) unlinkat(folder_->fd.get(), name_.c_str(), 0);
}

absl::Status Incoming::Append(std::string_view data) {
  sha256_.Update(data);
  while (status_.ok() && !data.empty()) {
    ssize_t count = 0;
    const int error = folder_->Do(Step::kWrite, [&] {
      count = write(file_.get(), data.data(), data.size());
      return count < 0 ? -1 : 0;
    });
    if (error == EINTR) continue;
    if (error != 0) {
      status_ = DiskError(
          absl::StrCat("cannot write to ", folder_->path, " behind byte ", size_bytes_), error);
      break;
    }
    size_bytes_ += count;
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return status_;
}

absl::StatusOr<FileInfo> Incoming::Commit() {
  if (!status_.ok()) return status_;
  const Checksum checksum = sha256_.Finish();
  if (expected_ && checksum != *expected_) {
    return absl::InvalidArgumentError(absl::StrCat("the ", size_bytes_, " bytes that came are ",
                                                   checksum.ToString(), ", not ",
                                                   expected_->ToString()));
  }
  if (absl::Status durable = MakeDurable(checksum.Hex()); !durable.ok()) return durable;
  return FileInfo{checksum, size_bytes_};
}

absl::Status Incoming::MakeDurable(const std::string& final_name) {
  const std::string path = absl::StrCat(folder_->path, "/", final_name);
  const int folder = folder_->fd.get();
  // fsync and not fdatasync: the mode is to last too.
  int error = folder_->Do(Step::kSync,
                          [&] { return fchmod(file_.get(), 0444) == 0 ? fsync(file_.get()) : -1; });
  if (error != 0) return DiskError(absl::StrCat("cannot make ", path, " durable"), error);
  {
    const std::lock_guard lock(folder_->names);
    error = folder_->Do(
        Step::kRename, [&] { return renameat(folder, name_.c_str(), folder, final_name.c_str()); });
  }
  if (error != 0) return DiskError(absl::StrCat("cannot name ", path), error);
  name_.clear();
  error = folder_->Do(Step::kSyncFolder, [&] { return fsync(folder); });
  if (error != 0) return DiskError(absl::StrCat("cannot make the name ", path, " durable"), error);
  return absl::OkStatus();
}

StoredFile::StoredFile(std::shared_ptr<Store::Folder> folder, const Checksum& checksum,
                       Descriptor file, std::int64_t size_bytes)
    : folder_(std::move(folder)),
      checksum_(checksum),
      file_(std::move(file)),
      size_bytes_(size_bytes) {}

absl::StatusOr<std::string> StoredFile::Read(std::size_t most) {
  if (at_end_) return std::string();
  std::string data(std::min(most, static_cast<std::size_t>(size_bytes_ - position_)), '\0');
  for (std::size_t filled = 0; filled < data.size();) {
    const ssize_t count = pread(file_.get(), data.data() + filled, data.size() - filled,
                                position_ + static_cast<off_t>(filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SetAside(strerror(errno));
    if (count == 0) return SetAside("it became shorter while it was read");
    filled += static_cast<std::size_t>(count);
  }
  sha256_.Update(data);
  position_ += static_cast<std::int64_t>(data.size());
  if (position_ < size_bytes_) return data;
  if (sha256_.Finish() != checksum_) return SetAside("its bytes have another checksum");
  at_end_ = true;
  return data;
}

absl::Status StoredFile::Skip(std::int64_t count) {
  while (count > 0) {
    const auto piece = Read(std::min(kPieceBytes, static_cast<std::size_t>(count)));
    if (!piece.ok()) return piece.status();
    count -= static_cast<std::int64_t>(piece->size());
  }
  return absl::OkStatus();
}

absl::Status StoredFile::SetAside(const std::string& why) {
  const int folder = folder_->fd.get();
  const std::string name = checksum_.Hex();
  const std::string bad = "bad-" + name;
  struct stat opened {};
  struct stat named {};
  const std::lock_guard lock(folder_->names);
  // A good copy may have taken its place since it was opened; that one stays.
  const bool moved = fstat(file_.get(), &opened) == 0 &&
                     fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                     opened.st_ino == named.st_ino && opened.st_dev == named.st_dev &&
                     renameat(folder, name.c_str(), folder, bad.c_str()) == 0;
  if (moved) fsync(folder);
  return absl::DataLossError(
      absl::StrCat(folder_->path, "/", name, " is damaged: ", why,
                   moved ? absl::StrCat("; set aside as ", bad) : std::string()));
}

}  // namespace radix::pastiche
