// Tells of calls that ended with UNAVAILABLE, before their callers hear of it.

#pragma once

#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <memory>

namespace radix {

// Calls `on_unavailable` in one of gRPC's threads whenever a call of the channel ends with
// UNAVAILABLE: its connection broke, or the server says so itself.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeUnavailableWatch(
    std::function<void()> on_unavailable);

}  // namespace radix
