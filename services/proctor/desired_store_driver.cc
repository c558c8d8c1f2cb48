#include "services/proctor/desired_store_driver.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"

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

}  // namespace

void DesiredStore::Close::operator()(sqlite3* database) const { sqlite3_close(database); }

absl::StatusOr<std::unique_ptr<DesiredStore>> DesiredStore::Open(
    const std::filesystem::path& path) {
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  std::unique_ptr<DesiredStore> store(new DesiredStore(path, Database(opened)));
  if (code != SQLITE_OK) return store->Failure(code);
  chmod(path.c_str(), 0600);
  sqlite3_busy_timeout(opened, 1000);
  for (const char* sql :
       {"PRAGMA journal_mode=DELETE", "PRAGMA synchronous=FULL",
        "CREATE TABLE IF NOT EXISTS accepted (id INTEGER PRIMARY KEY CHECK (id = 1), promised "
        "INTEGER NOT NULL, epoch INTEGER NOT NULL, revision INTEGER NOT NULL, checksum BLOB NOT "
        "NULL, body BLOB NOT NULL)"}) {
    if (absl::Status status = store->Execute(sql); !status.ok()) return status;
  }
  if (absl::Status status = store->Load(); !status.ok()) return status;
  return store;
}

absl::Status DesiredStore::Save(const AcceptorState& state) {
  const Statement statement =
      Prepare(database_.get(), "INSERT OR REPLACE INTO accepted VALUES (1, ?, ?, ?, ?, ?)");
  if (statement == nullptr) return Failure(sqlite3_errcode(database_.get()));
  sqlite3_bind_int64(statement.get(), 1, state.promised);
  sqlite3_bind_int64(statement.get(), 2, state.document.epoch);
  sqlite3_bind_int64(statement.get(), 3, state.document.revision);
  BindBytes(statement.get(), 4, state.document.checksum);
  BindBytes(statement.get(), 5, state.document.body);
  const int code = sqlite3_step(statement.get());
  return code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
}

absl::Status DesiredStore::Execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::Status DesiredStore::Load() {
  const Statement statement = Prepare(
      database_.get(), "SELECT promised, epoch, revision, checksum, body FROM accepted WHERE id=1");
  if (statement == nullptr) return Failure(sqlite3_errcode(database_.get()));
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_DONE) return absl::OkStatus();
  if (code != SQLITE_ROW) return Failure(code);
  loaded_.promised = sqlite3_column_int64(statement.get(), 0);
  Document& document = loaded_.document;
  document.epoch = sqlite3_column_int64(statement.get(), 1);
  document.revision = sqlite3_column_int64(statement.get(), 2);
  document.checksum = ColumnBytes(statement.get(), 3);
  document.body = ColumnBytes(statement.get(), 4);
  const bool whole = document.epoch == 0 ? document == Document() : document.IsIntact();
  if (whole && document.epoch <= loaded_.promised && document.epoch >= 0) return absl::OkStatus();
  loaded_ = {};
  return absl::DataLossError(
      absl::StrCat(path_.string(), ": what it holds does not have its checksum"));
}

absl::Status DesiredStore::Failure(int code) const {
  const std::string message = absl::StrCat(path_.string(), ": ", sqlite3_errmsg(database_.get()));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace radix::proctor
