// Who a process is to others over TCP, and whom it takes for whom.

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/connections.h"

namespace radix::confab {

// What a server serves.
struct Served {
  Endpoint endpoint;
  std::string horde;
  std::string api;
  std::string inst;
};

// Whom a client means: what it expects to be served at that endpoint.
struct Callee {
  Endpoint endpoint;
  std::string horde;
  std::string api;   // empty: any
  std::string inst;  // empty: any
  // Called on any thread when the key of the channel will not do any more. OK: another is due, and
  // whoever uses the channel dials again, and leaves it when that worked. Otherwise it is not let
  // in any more, and why. Must not block; may be empty.
  std::function<void(const absl::Status&)> on_due;
};

// Makes what gRPC needs to speak TLS in both directions. Serve and Dial ask it; services only hand
// it on, in their Node. Thread-safe.
class Identity {
 public:
  virtual ~Identity() = default;

  // For a server of `served`: it lets in whoever may call that, and nobody else. Whenever somebody
  // is not to be let in any more, who has come in before has to go: of `connections`, as long as it
  // exists. Internal, if it cannot make a key.
  virtual absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ForServer(
      const Served& served, const std::shared_ptr<Connections>& connections) = 0;

  // The server of those connections has ended: what was kept for it may go.
  virtual void HandleServerEnd(const std::shared_ptr<Connections>& /*connections*/) {}

  // For a channel to a basic service of the node at `to`, for example "steward": it goes on only
  // with that. Internal, if it cannot make a key; FailedPrecondition, if this process may not.
  virtual absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ForChannel(
      const Endpoint& to, const std::string& service) = 0;

  // For a channel to an application: `done` is called once it lets this process in, or will not,
  // on whatever thread; it must not block. PermissionDenied, when the rules forbid it; NotFound,
  // when it is not what is meant; DeadlineExceeded; Internal.
  using OnIntroduced =
      std::function<void(absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>)>;
  virtual void Introduce(const Callee& to, OnIntroduced done) = 0;
};

}  // namespace radix::confab
