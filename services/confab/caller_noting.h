// Notes, at the first call of each connection, what its caller showed.

#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "services/confab/connections.h"

namespace radix::confab {

// For a server whose connections those are. gRPC shows a certificate to calls only; at a later call
// this costs a look into the table.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallerNotingFactory(
    std::shared_ptr<Connections> connections);

}  // namespace radix::confab
