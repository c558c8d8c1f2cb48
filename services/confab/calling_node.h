// Which node calls a basic service: what it showed says so, whatever its messages say.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace radix::confab {

// The fingerprint of the node whose basic `service` calls, for example "reeve"; nullopt without
// TLS, which is through this node's own Unix sockets, and in tests. Takes 0.2 ms: ask once for a
// stream. PermissionDenied: it is another service, or no node vouches for it.
absl::StatusOr<std::optional<std::uint64_t>> CallingNode(const grpc::ServerContextBase& context,
                                                         const std::string& flock_id,
                                                         const std::string& service);

}  // namespace radix::confab
