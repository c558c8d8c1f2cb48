// One node's files on disk, each named by its checksum: whole and durable, or absent.
//
//   Begin -> Incoming: Append... Commit          OpenFile -> StoredFile: Read... until at_end
//
// The store's folder holds
//   HEX          a stored file, mode 0444
//   incoming-N   a file on its way in; Open removes what a crash left of these
//   bad-HEX      a file whose bytes no longer had its checksum, set aside for a person to look at
//
// A file comes in under a name of its own, is checked, made durable, and only then renamed. So at
// every instant, a crash included, a HEX is a whole file. The order (file, rename, folder) is that
// of Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/checksum.h"
#include "services/confab/descriptor.h"

namespace radix::pastiche {

// What Commit and a write do to the disk, in this order.
enum class Step : std::uint8_t { kWrite, kSync, kRename, kSyncFolder };

struct StoreOptions {
  // For tests: called before each step; an errno other than 0 makes the step fail with it.
  std::function<int(Step)> before_step;
};

// A file in a store.
struct FileInfo {
  Checksum checksum;
  std::int64_t size_bytes = 0;
};

class Incoming;
class StoredFile;

// The store. Thread-safe; of what it hands out, each object is for one thread at a time and may
// outlive the store.
//
// Errors of every method: ResourceExhausted where there is no room (disk full, quota, limit on
// files' sizes), Internal for any other failure of the disk; both say which file and why.
class Store {
 public:
  // Opens the store in `folder`, making the folder if it is missing, and removes what crashes left
  // there. FailedPrecondition if another process has it open.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& folder,
                                                     StoreOptions options = {});

  // Starts a file. With `expected`, only those bytes are accepted.
  absl::StatusOr<std::unique_ptr<Incoming>> Begin(std::optional<Checksum> expected) const;

  // Opens a file for reading. NotFound if it is not here. Whoever reads it to the end knows that
  // its bytes are right.
  absl::StatusOr<std::unique_ptr<StoredFile>> OpenFile(const Checksum& checksum) const;

  // Reads a file through. NotFound if it is not here; DataLoss as for StoredFile::Read.
  absl::StatusOr<FileInfo> Verify(const Checksum& checksum) const;

  // At most `most` files, in checksum order, from the first behind `after`.
  absl::StatusOr<std::vector<FileInfo>> List(std::optional<Checksum> after, std::size_t most) const;

  // Where a file is, or would be.
  std::string PathOf(const Checksum& checksum) const;

  struct Folder;

 private:
  explicit Store(std::shared_ptr<Folder> folder);

  std::shared_ptr<Folder> folder_;
};

// A file on its way in. Unless Commit succeeds, it leaves nothing behind.
class Incoming {
 public:
  Incoming(std::shared_ptr<Store::Folder> folder, std::optional<Checksum> expected,
           std::string name, confab::Descriptor file);
  ~Incoming();
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  // Takes in the next bytes. After an error every further call repeats it.
  absl::Status Append(std::string_view data);

  // Makes the file durable under its checksum, in place of one that is there already. When it
  // succeeds the file outlives any crash; when it fails nothing changed, or the file is there,
  // whole, but may not outlive a power failure. InvalidArgument if the bytes are not `expected`.
  // May be called once.
  absl::StatusOr<FileInfo> Commit();

  std::int64_t size_bytes() const { return size_bytes_; }

 private:
  absl::Status MakeDurable(const std::string& final_name);

  std::shared_ptr<Store::Folder> folder_;
  std::optional<Checksum> expected_;
  std::string name_;  // empty once it is renamed
  confab::Descriptor file_;
  Sha256 sha256_;
  std::int64_t size_bytes_ = 0;
  absl::Status status_;
};

// A stored file being read, from its beginning to its end.
class StoredFile {
 public:
  StoredFile(std::shared_ptr<Store::Folder> folder, const Checksum& checksum,
             confab::Descriptor file, std::int64_t size_bytes);

  // The next bytes, at most `most` (which must be > 0); empty only for an empty file or at the
  // end. The last bytes are handed out only when all of the file has proved right, so nobody gets
  // a whole wrong file. DataLoss, and the file is set aside, when it is wrong or unreadable.
  absl::StatusOr<std::string> Read(std::size_t most);

  // Passes over bytes, checking them. Requires: position + count <= size_bytes().
  absl::Status Skip(std::int64_t count);

  // Whether all has been read and was right.
  bool at_end() const { return at_end_; }

  std::int64_t size_bytes() const { return size_bytes_; }

 private:
  absl::Status SetAside(const std::string& why);

  std::shared_ptr<Store::Folder> folder_;
  Checksum checksum_;
  confab::Descriptor file_;
  std::int64_t size_bytes_;
  std::int64_t position_ = 0;
  Sha256 sha256_;
  bool at_end_ = false;
};

}  // namespace radix::pastiche
