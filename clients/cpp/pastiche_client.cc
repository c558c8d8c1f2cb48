#include "clients/cpp/pastiche_client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/blocking_stream.h"
#include "clients/cpp/call.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"

namespace radix {
namespace {

using pastiche::v1::GetRequest;
using pastiche::v1::GetResponse;
using pastiche::v1::PutRequest;
using pastiche::v1::PutResponse;

constexpr std::size_t kChunkBytes = 512 * 1024;

absl::Status FileError(const std::filesystem::path& path, int error) {
  const std::string message = absl::StrCat(path.string(), ": ", strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

// A file that is written beside `path` and takes its place only when it is whole.
class Replacement {
 public:
  explicit Replacement(std::filesystem::path path) : path_(std::move(path)) {}
  ~Replacement() {
    if (fd_ >= 0) close(fd_);
    if (!name_.empty()) unlink(name_.c_str());
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  absl::Status Open() {
    // A device, a pipe or a link would be gone, and a file in its place; for root even /dev/null.
    struct stat facts {};
    if (lstat(path_.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat(
          path_.string(), ": is there already and no regular file, so it is not replaced"));
    }
    // Not mkstemp, so that the umask applies.
    for (int number = 0; fd_ < 0; ++number) {
      std::string name = absl::StrCat(path_.string(), ".partial-", getpid(), "-", number);
      fd_ = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd_ >= 0) name_ = std::move(name);
      if (fd_ < 0 && errno != EEXIST) return FileError(path_, errno);
    }
    return absl::OkStatus();
  }

  absl::Status Append(std::string_view data) {
    while (!data.empty()) {
      const ssize_t count = write(fd_, data.data(), data.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FileError(path_, errno);
      data.remove_prefix(static_cast<std::size_t>(count));
    }
    return absl::OkStatus();
  }

  absl::Status TakePlace() {
    if (fsync(fd_) != 0 || rename(name_.c_str(), path_.c_str()) != 0) {
      return FileError(path_, errno);
    }
    name_.clear();
    return absl::OkStatus();
  }

 private:
  std::filesystem::path path_;
  std::string name_;  // empty: there is none
  int fd_ = -1;
};

// Sends all of `fd` and returns the checksum of what was sent.
absl::StatusOr<Checksum> SendFile(const std::filesystem::path& path, int fd,
                                  BlockingWriter<PutRequest>& writer) {
  Sha256 sha256;
  PutRequest request;
  for (bool first = true;; first = false) {
    std::string& data = *request.mutable_data();
    data.resize(kChunkBytes);
    ssize_t count = 0;
    do {
      count = read(fd, data.data(), data.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) return FileError(path, errno);
    if (count == 0 && !first) break;
    data.resize(static_cast<std::size_t>(count));
    sha256.Update(data);
    if (!writer.Write(request)) break;  // the status will say why
  }
  return sha256.Finish();
}

}  // namespace

PasticheClient::PasticheClient(const Network& network, Duration limit)
    : PasticheClient(confab::DialLocal(network.node, "pastiche"), limit) {}

PasticheClient::PasticheClient(const std::shared_ptr<grpc::Channel>& channel, Duration limit)
    : stub_(pastiche::v1::PasticheService::NewStub(channel)), limit_(limit) {}

void PasticheClient::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(confab::WallDeadline(limit_));
}

absl::StatusOr<Checksum> PasticheClient::PutFile(const std::filesystem::path& path) const {
  // O_NONBLOCK: a pipe without a writer must not hold us up.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, errno);
  struct stat facts {};
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": is no regular file"));
  }
  PutResponse response;
  BlockingWriter<PutRequest> writer;
  SetDeadline(writer.context());
  stub_->async()->Put(&writer.context(), &response, &writer);
  writer.Begin();
  const auto sent = SendFile(path, fd, writer);
  close(fd);
  if (!sent.ok()) writer.Cancel();
  const grpc::Status status = writer.End();
  if (!sent.ok()) return sent.status();
  if (!status.ok()) return confab::FromGrpc(status);
  if (response.checksum() != sent->ToString()) {
    return absl::AbortedError(absl::StrCat(path.string(), ": sent as ", sent->ToString(),
                                           " but arrived as ", response.checksum()));
  }
  return *sent;
}

absl::Status PasticheClient::FetchFile(const Checksum& checksum,
                                       const std::filesystem::path& path) const {
  Replacement replacement(path);
  if (absl::Status opened = replacement.Open(); !opened.ok()) return opened;
  GetRequest request;
  request.set_checksum(checksum.ToString());
  BlockingReader<GetResponse> reader;
  SetDeadline(reader.context());
  stub_->async()->Get(&reader.context(), &request, &reader);
  reader.Begin();
  Sha256 sha256;
  GetResponse response;
  absl::Status written;
  while (written.ok() && reader.Next(response, limit_)) {
    sha256.Update(response.data());
    written = replacement.Append(response.data());
  }
  const grpc::Status status = reader.End();
  if (!written.ok()) return written;
  if (!status.ok()) return confab::FromGrpc(status);
  if (const Checksum got = sha256.Finish(); got != checksum) {
    return absl::DataLossError(
        absl::StrCat("the bytes that came are ", got.ToString(), ", not ", checksum.ToString()));
  }
  return replacement.TakePlace();
}

absl::StatusOr<PasticheClient::Pulled> PasticheClient::Pull(const Checksum& checksum) const {
  pastiche::v1::PullRequest request;
  request.set_checksum(checksum.ToString());
  pastiche::v1::PullResponse response;
  const grpc::Status status =
      Call(*stub_->async(), &pastiche::v1::PasticheService::Stub::async::Pull, request, response,
           {.timeout = limit_});
  if (!status.ok()) return confab::FromGrpc(status);
  return Pulled{response.size_bytes(), response.path(), response.source()};
}

}  // namespace radix
