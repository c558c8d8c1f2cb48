// Who a process is to others over TCP, and whom it takes for whom.

#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/connections.h"

namespace radix::confab {

// Makes what gRPC needs to speak TLS in both directions. Serve and Dial ask it; services only hand
// it on, in their Node. Thread-safe.
class Identity {
 public:
  virtual ~Identity() = default;

  // For a server that serves `horde`/`api`: it lets in whoever may call that, and nobody else.
  // Whenever somebody is not to be let in any more, who has come in before has to go: of
  // `connections`, as long as it exists.
  virtual std::shared_ptr<grpc::ServerCredentials> ForServer(
      const std::string& horde, const std::string& api,
      const std::shared_ptr<Connections>& connections) = 0;

  // For a channel to `service` at `to`: it goes on only with that. Internal, if it cannot make a
  // key.
  virtual absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ForChannel(
      const Endpoint& to, const std::string& service) = 0;
};

}  // namespace radix::confab
