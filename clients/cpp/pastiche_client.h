// This node's pastiche: puts files into it and gets files out of it.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cpp/checksum.h"
#include "clients/cpp/network.h"
#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "services/confab/time.h"

namespace radix {

// Calls wait for their end, so they must not come from one of gRPC's own threads. Thread-safe.
//
// Errors of every call: those of the rpc, as radix/pastiche/v1/pastiche.proto lists them, and
// Unavailable when the node's pastiche does not answer.
class PasticheClient {
 public:
  // Of the node that `network` is on. Each call takes at most `limit`, all in all.
  explicit PasticheClient(const Network& network, Duration limit = 10min);

  // Behind `channel`.
  explicit PasticheClient(const std::shared_ptr<grpc::Channel>& channel, Duration limit = 10min);

  // Stores the file at `path`. When it succeeds the file is whole and durable on this node.
  // NotFound, PermissionDenied or InvalidArgument, naming the path, if it cannot be read or is no
  // regular file; Aborted if it changed meanwhile.
  absl::StatusOr<Checksum> PutFile(const std::filesystem::path& path) const;

  // Fetches a file, pulling it from a peer if this node lacks it, and writes it to `path`, mode
  // 0644 less the umask. Verified before it takes its place; `path` is the whole file or untouched.
  absl::Status FetchFile(const Checksum& checksum, const std::filesystem::path& path) const;

  // Where a file that was pulled is.
  struct Pulled {
    std::int64_t size_bytes = 0;
    std::filesystem::path path;  // on this node's disk, read-only; verify what you run from it
    std::string source;          // the node that it came from; empty when it was here already
  };

  // Makes a file local.
  absl::StatusOr<Pulled> Pull(const Checksum& checksum) const;

 private:
  void SetDeadline(grpc::ClientContext& context) const;

  std::unique_ptr<pastiche::v1::PasticheService::Stub> stub_;
  Duration limit_;
};

}  // namespace radix
