#include "services/proctor/desired_store_driver.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/proctor/damaged_file_driver.h"

namespace radix::proctor {
namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Statement Prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database, sql, -1, &statement, nullptr);
  return Statement(statement);
}

void BindBytes(sqlite3_stmt* statement, int index, const std::string& bytes) {
  // SQLITE_STATIC: `bytes` outlives the statement's step.
  sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

std::string ColumnBytes(sqlite3_stmt* statement, int column) {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return data == nullptr ? "" : std::string(data, size);
}

// Over all of a row but the body, of which it has the checksum.
std::string SealOf(const AcceptorState& state) {
  return Sha256(absl::StrCat(state.promised, " ", state.document.epoch, " ",
                             state.document.revision, " ", state.losses, " ",
                             state.document.checksum));
}

// Whether `state` is one that this program saves.
bool IsSound(const AcceptorState& state) {
  const Document& document = state.document;
  const bool whole = document.epoch == 0 ? document == Document() : document.IsIntact();
  return whole && document.epoch >= 0 && document.epoch <= state.promised &&
         (state.losses == 0 || (document.epoch == 0 && state.losses > 0));
}

}  // namespace

void DesiredStore::Close::operator()(sqlite3* database) const { sqlite3_close(database); }

absl::StatusOr<std::unique_ptr<DesiredStore>> DesiredStore::Open(
    const std::filesystem::path& path) {
  const auto damaged = CountDamaged(path);
  if (!damaged.ok()) return damaged.status();
  std::error_code error;
  if (std::filesystem::symlink_status(path, error).type() ==
      std::filesystem::file_type::not_found) {
    // Damaged ones without one in their place: setting it aside was interrupted.
    if (absl::Status made = Make(path, {0, {}, *damaged}); !made.ok()) return made;
    return OpenWhole(path);
  }
  AcceptorState state{0, {}, *damaged + 1};
  absl::Status problem = absl::DataLossError(path.string() + ": is no file");
  if (std::filesystem::is_regular_file(path, error)) {
    auto store = OpenWhole(path);
    problem = store.status();
    if (store.ok()) {  // it may be damaged where only a write would find it
      state = (*store)->loaded();
      problem = (*store)->Save(state);
    }
    if (problem.ok()) return store;
  }
  if (!absl::IsDataLoss(problem)) return problem;
  return Replace(path, *damaged + 1, state, problem);
}

absl::StatusOr<std::unique_ptr<DesiredStore>> DesiredStore::Replace(
    const std::filesystem::path& path, int number, const AcceptorState& state,
    const absl::Status& problem) {
  const std::string what(problem.message());
  if (number > kLossesMax) {
    return absl::DataLossError(absl::StrCat(what, "; that was so ", kLossesMax,
                                            " times before: mend what damages it, then remove ",
                                            path.string(), "*"));
  }
  const auto kept = SetAside(path, number);
  if (!kept.ok()) return kept.status();
  if (absl::Status made = Make(path, state); !made.ok()) return made;
  auto store = OpenWhole(path);
  if (store.ok()) {
    (*store)->set_aside_ = absl::StrCat(what, "; kept as ", kept->filename().string());
  }
  return store;
}

// Puts a store with `state` at `path`, in one step: what is read there is never half made.
absl::Status DesiredStore::Make(const std::filesystem::path& path, const AcceptorState& state) {
  const std::filesystem::path made = path.string() + ".new";
  for (const std::filesystem::path& old : {made, path}) {  // no journal of another may be applied
    for (const char* suffix : {"-journal", "-wal", "-shm"}) {
      std::remove((old.string() + suffix).c_str());
    }
  }
  std::remove(made.c_str());
  {
    auto store = OpenDatabase(made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (!store.ok()) return store.status();
    absl::Status done = (*store)->Execute(
        "CREATE TABLE accepted (id INTEGER PRIMARY KEY CHECK (id = 1), promised INTEGER NOT NULL, "
        "epoch INTEGER NOT NULL, revision INTEGER NOT NULL, checksum BLOB NOT NULL, body BLOB NOT "
        "NULL, losses INTEGER NOT NULL, seal BLOB NOT NULL)");
    if (done.ok()) done = (*store)->Save(state);
    if (!done.ok()) return done;
  }
  if (std::rename(made.c_str(), path.c_str()) != 0) {
    return absl::InternalError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
  }
  return SyncFolderOf(path);
}

absl::StatusOr<std::unique_ptr<DesiredStore>> DesiredStore::OpenWhole(
    const std::filesystem::path& path) {
  auto store = OpenDatabase(path, SQLITE_OPEN_READWRITE);
  if (!store.ok()) return store;
  if (absl::Status status = (*store)->Load(); !status.ok()) return status;
  return store;
}

absl::StatusOr<std::unique_ptr<DesiredStore>> DesiredStore::OpenDatabase(
    const std::filesystem::path& path, int flags) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  std::unique_ptr<DesiredStore> store(new DesiredStore(path, Database(opened)));
  if (code != SQLITE_OK) return store->Failure(code);
  sqlite3_extended_result_codes(opened, 1);
  chmod(path.c_str(), 0600);
  sqlite3_busy_timeout(opened, 1000);
  for (const char* sql : {"PRAGMA journal_mode=DELETE", "PRAGMA synchronous=FULL"}) {
    if (absl::Status status = store->Execute(sql); !status.ok()) return status;
  }
  return store;
}

absl::Status DesiredStore::Save(const AcceptorState& state) {
  const Statement statement =
      Prepare(database_.get(), "INSERT OR REPLACE INTO accepted VALUES (1, ?, ?, ?, ?, ?, ?, ?)");
  if (statement == nullptr) return Failure(sqlite3_extended_errcode(database_.get()));
  const std::string seal = SealOf(state);
  sqlite3_bind_int64(statement.get(), 1, state.promised);
  sqlite3_bind_int64(statement.get(), 2, state.document.epoch);
  sqlite3_bind_int64(statement.get(), 3, state.document.revision);
  BindBytes(statement.get(), 4, state.document.checksum);
  BindBytes(statement.get(), 5, state.document.body);
  sqlite3_bind_int(statement.get(), 6, state.losses);
  BindBytes(statement.get(), 7, seal);
  const int code = sqlite3_step(statement.get());
  return code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
}

absl::Status DesiredStore::Execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::Status DesiredStore::Load() {
  const auto damaged = [this](const std::string& how) {
    return absl::DataLossError(absl::StrCat(path_.string(), ": ", how));
  };
  Statement statement = Prepare(database_.get(), "SELECT * FROM accepted WHERE id = 1");
  if (statement == nullptr) return Failure(sqlite3_extended_errcode(database_.get()));
  const bool sealed = sqlite3_column_count(statement.get()) != 6;
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_DONE) return sealed ? damaged("holds nothing") : AddSeal();
  if (code != SQLITE_ROW) return Failure(code);
  AcceptorState state;
  state.promised = sqlite3_column_int64(statement.get(), 1);
  state.document.epoch = sqlite3_column_int64(statement.get(), 2);
  state.document.revision = sqlite3_column_int64(statement.get(), 3);
  state.document.checksum = ColumnBytes(statement.get(), 4);
  state.document.body = ColumnBytes(statement.get(), 5);
  if (sealed) state.losses = sqlite3_column_int(statement.get(), 6);
  const bool intact = !sealed || ColumnBytes(statement.get(), 7) == SealOf(state);
  if (!intact || !IsSound(state)) return damaged("what it holds does not have its checksum");
  statement = nullptr;
  loaded_ = std::move(state);
  return sealed ? absl::OkStatus() : AddSeal();
}

// Brings a file that was made before there were seals to the present form.
absl::Status DesiredStore::AddSeal() {
  absl::Status status = Execute(
      "BEGIN; ALTER TABLE accepted ADD COLUMN losses INTEGER NOT NULL DEFAULT 0; "
      "ALTER TABLE accepted ADD COLUMN seal BLOB NOT NULL DEFAULT x''");
  if (status.ok()) status = Save(loaded_);
  return status.ok() ? Execute("COMMIT") : status;
}

absl::Status DesiredStore::Failure(int code) const {
  const std::string message = absl::StrCat(path_.string(), ": ", sqlite3_errmsg(database_.get()));
  switch (code) {
    case SQLITE_ERROR:  // the statements are right, so the tables are not
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
      return absl::DataLossError(message);
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_READONLY:  // says a header that was overwritten, or the system
      return access(path_.c_str(), W_OK) == 0 ? absl::DataLossError(message)
                                              : absl::InternalError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace radix::proctor
