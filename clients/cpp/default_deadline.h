// A deadline for calls that have none.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>

#include "services/confab/time.h"

namespace radix {

// Ends every unary call whose context has no deadline after `limit`, with DEADLINE_EXCEEDED. A
// deadline that the context has, shorter or longer, stays as it is; streams may last.
//
// (gRPC's own way, `timeout` in a service config, would also shorten longer deadlines and streams.)
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeDefaultDeadlineFactory(
    Duration limit);

}  // namespace radix
