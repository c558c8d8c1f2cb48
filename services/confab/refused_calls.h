// Keeps the handlers of a service from calls that are refused.
//
// gRPC 1.51 has no way to say no to a call of the callback API: an interceptor that does not let it
// go on leaks it, and a call that is cancelled runs its handler all the same.

#pragma once

#include <grpcpp/grpcpp.h>

#include "services/confab/connections.h"

namespace radix::confab {

// From now on the calls of `service` that BeginCall refuses get no further than to gRPC, which
// answers UNIMPLEMENTED; that goes for its callback methods. Before it is served; once more is
// harmless.
void RefuseCallsOf(grpc::Service& service);

// A call begins on this thread, which goes on to its handler. It is refused if its connection was
// ended by then. `tally` is null where that cannot be.
void BeginCall(const grpc::ServerContextBase& context, const MessageTally* tally);

}  // namespace radix::confab
