// Trust's messages.

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "radix/trust/v1/trust.pb.h"
#include "services/trust/revoked.h"

namespace radix::trust {

v1::Revoked ToProto(const Revoked& revoked);
// InvalidArgument, naming the field.
absl::StatusOr<Revoked> RevokedFrom(const v1::Revoked& message);

// Adds what the decision of the kind `revoked` with that key is about. InvalidArgument, if it is
// malformed.
absl::Status AddDecision(const std::string& key, Revoked& revoked);

}  // namespace radix::trust
