// What a node promised and has of the group's decisions, on disk: STATE/desired.db.

#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/proctor/acceptor.h"

struct sqlite3;

namespace radix::proctor {

// One row in SQLite, which brings atomic and durable replacement: journal in rollback mode,
// synchronous=FULL. A checksum over the whole row finds what SQLite does not. Not thread-safe.
class DesiredStore {
 public:
  // Opens the file; makes it when there is none and none was ever damaged. One that is not whole
  // (cut off, overwritten, unreadable) is set aside as PATH.damaged-N, and a new one takes its
  // place in one step, of which loaded() says that this is the N-th loss. So a node that lost its
  // promises never passes for one that made none, wherever this is interrupted. Where all that was
  // saved can still be read, and only writing fails, nothing is lost. The last three damaged ones
  // are kept for people to look at.
  //
  // DataLoss, naming it, when it would be damaged for more than the kLossesMax-th time; otherwise
  // as SQLite and the system fail (no room, no permission), and then nothing is set aside.
  static absl::StatusOr<std::unique_ptr<DesiredStore>> Open(const std::filesystem::path& path);

  // What was saved last; the default when nothing ever was.
  const AcceptorState& loaded() const { return loaded_; }

  // What Open found wrong and where it put it, for people; empty for nothing.
  const std::string& set_aside() const { return set_aside_; }

  // Has `state` on disk when it succeeds; otherwise what was there before, or in rare cases
  // `state`. ResourceExhausted when the disk is full; DataLoss when the file is not whole any more;
  // Internal with SQLite's words otherwise.
  absl::Status Save(const AcceptorState& state);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  using Database = std::unique_ptr<sqlite3, Close>;

  DesiredStore(std::filesystem::path path, Database database)
      : path_(std::move(path)), database_(std::move(database)) {}

  static absl::StatusOr<std::unique_ptr<DesiredStore>> OpenWhole(const std::filesystem::path& path);
  static absl::StatusOr<std::unique_ptr<DesiredStore>> OpenDatabase(
      const std::filesystem::path& path, int flags);
  static absl::Status Make(const std::filesystem::path& path, const AcceptorState& state);
  static absl::StatusOr<std::unique_ptr<DesiredStore>> Replace(const std::filesystem::path& path,
                                                               int number,
                                                               const AcceptorState& state,
                                                               const absl::Status& problem);

  absl::Status Execute(const char* sql);
  absl::Status Load();
  absl::Status AddSeal();
  absl::Status Failure(int code) const;

  std::filesystem::path path_;
  Database database_;
  AcceptorState loaded_;
  std::string set_aside_;
};

}  // namespace radix::proctor
