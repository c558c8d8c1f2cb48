// The one way to connect: every gRPC channel of Radix comes from here.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/identity.h"
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

// A channel from this node to a basic `service` of the node at `net_id`; an attempt to connect may
// last 5 s. It speaks TLS, by the node's identity, and connects to nobody else; plaintext where
// `node` has no identity.
//
// Errors:
// * InvalidArgument: `net_id` is none.
// * FailedPrecondition: without an identity, its address is no loopback address.
// * Internal: no key could be made.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const Node& node, const std::string& net_id,
                                                    const std::string& service,
                                                    ClientInterceptors interceptors = {});

// A channel from this node to an application: `done` gets it once that lets this process in, on
// whatever thread, maybe before this returns; it must not block. Without an identity it is
// plaintext, and at once.
//
// Errors: as Dial, and as Identity::Introduce.
using OnDialled = std::function<void(absl::StatusOr<std::shared_ptr<grpc::Channel>>)>;
void DialIntroduced(const Node& node, const Callee& to, ClientInterceptors interceptors,
                    OnDialled done);

// A channel that connects to nothing: every call fails at once with `status`, which is not OK.
std::shared_ptr<grpc::Channel> DialNowhere(const grpc::Status& status);

}  // namespace radix::confab
