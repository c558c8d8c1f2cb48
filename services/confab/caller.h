// Who calls: what a service does for the processes of its own node and for nobody else.

#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>

#include "services/confab/shown.h"

namespace radix::confab {

// Whether a call came through one of the node's Unix sockets. Then its caller is the node's own
// user, or root: nobody else may enter the folder in which they are. On TCP it is
// whoever has a key for this service.
inline bool CameThroughUnixSocket(const grpc::CallbackServerContext& context) {
  return context.peer().starts_with("unix:");
}

// What the caller showed when it connected over TLS; nullopt without TLS. Takes 0.1 ms.
std::optional<Shown> ShownBy(const grpc::ServerContextBase& context);

}  // namespace radix::confab
