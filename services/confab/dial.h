// The one way to connect: every gRPC channel of Radix comes from here.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/node.h"

namespace radix::confab {

// A channel to a built-in service of this node, over its Unix socket. Connects when first used: a
// call fails at once when nobody listens, and waits, within its deadline, for a service that
// listens and is slow to greet. A channel that broke tries again after 0.1 to 1 s; callers that
// cannot wait that long dial anew, which costs about a millisecond.
std::shared_ptr<grpc::Channel> DialLocal(const Node& node, const std::string& service);

// What sees every call of a channel, outermost first.
using ClientInterceptors =
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

// A channel to a netID; an attempt to connect may last 5 s. InvalidArgument when it is none;
// FailedPrecondition when its address is no loopback address, because connections are not encrypted
// yet.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const std::string& net_id,
                                                    ClientInterceptors interceptors = {});

// A channel that connects to nothing: every call fails at once with `status`, which is not OK.
std::shared_ptr<grpc::Channel> DialNowhere(const grpc::Status& status);

}  // namespace radix::confab
