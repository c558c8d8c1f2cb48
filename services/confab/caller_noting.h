// Notes, of each connection, what its caller showed, and the messages that come on it; refuses the
// calls of one that was ended.

#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "services/confab/connections.h"

namespace radix::confab {

// For a server whose connections those are. gRPC shows a certificate to calls; only the first one
// of a connection has to read it.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallerNotingFactory(
    std::shared_ptr<Connections> connections);

}  // namespace radix::confab
