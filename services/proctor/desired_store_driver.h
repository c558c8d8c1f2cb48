// What a node promised and has of the group's decisions, on disk: STATE/desired.db.

#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "services/proctor/acceptor.h"

struct sqlite3;

namespace radix::proctor {

// One row in SQLite, which brings atomic and durable replacement: journal in rollback mode,
// synchronous=FULL. Not thread-safe.
class DesiredStore {
 public:
  // Opens or makes the file. DataLoss, naming it, when it is there and is not whole; otherwise as
  // SQLite fails (no room, no permission).
  static absl::StatusOr<std::unique_ptr<DesiredStore>> Open(const std::filesystem::path& path);

  // What was saved last; the default when nothing ever was.
  const AcceptorState& loaded() const { return loaded_; }

  // Has `state` on disk when it succeeds; otherwise what was there before, or in rare cases
  // `state`. ResourceExhausted when the disk is full; Internal with SQLite's words otherwise.
  absl::Status Save(const AcceptorState& state);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  using Database = std::unique_ptr<sqlite3, Close>;

  DesiredStore(std::filesystem::path path, Database database)
      : path_(std::move(path)), database_(std::move(database)) {}

  absl::Status Execute(const char* sql);
  absl::Status Load();
  absl::Status Failure(int code) const;

  std::filesystem::path path_;
  Database database_;
  AcceptorState loaded_;
};

}  // namespace radix::proctor
