// Mutual TLS 1.3, pinned both ways: each side shows a self-signed certificate (certificate.h), and
// each decides inside the handshake whether it knows the key. No name, date or authority is looked
// at.
//
// gRPC 1.51 offers no way to replace the key of a running server but to have it read files again;
// so keys lie in files that have no name and are in memory only (memfd_create(2)).

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/confab/certificate.h"
#include "services/confab/connections.h"
#include "services/confab/descriptor.h"

namespace radix::confab {

// What certificates and channels call every server (GRPC_SSL_TARGET_NAME_OVERRIDE_ARG): it means
// nothing, but a server that is called by a name that is not its own says so in its log each time.
inline constexpr char kTlsName[] = "radix";

// Says whether a peer that showed this, and has proven that it has the key, may go on; whoever
// showed no certificate that can be one of ours, for which there is the reason instead, may not.
// Called once in each handshake, on gRPC's threads, several at once; it must be quick, and not call
// gRPC. What it says otherwise is for the log of this side: the peer hears only that the connection
// ended.
using CheckPeer = std::function<absl::Status(const absl::StatusOr<Shown>&)>;

// The key that a server shows. Thread-safe.
class TlsIdentity {
 public:
  // Internal, if there can be no such file.
  static absl::StatusOr<std::shared_ptr<TlsIdentity>> Make(const TlsKey& key);

  // From now on, or at most a second later, new connections show `key`. Those that are there go on.
  // Internal, if it cannot be written: then the old key stays.
  absl::Status Replace(const TlsKey& key);

  // Of the key shown last.
  KeyId id() const;

  // Where gRPC reads it.
  std::string path() const;

 private:
  explicit TlsIdentity(Descriptor file) : file_(std::move(file)) {}

  mutable std::mutex mutex_;
  const Descriptor file_;
  KeyId id_;
};

// For a server: shows `identity`, and requires a certificate of every peer. Who passes `check` has
// to have budget left with `connections`, where there are any.
std::shared_ptr<grpc::ServerCredentials> ServerTls(
    std::shared_ptr<TlsIdentity> identity, CheckPeer check,
    std::shared_ptr<Connections> connections = nullptr);

// For channels, which all show `key`. Whoever wants another key makes new channels.
std::shared_ptr<grpc::ChannelCredentials> ClientTls(const TlsKey& key, CheckPeer check);

}  // namespace radix::confab
