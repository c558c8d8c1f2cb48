// flock's message about the group, turned into a checked value.

#pragma once

#include "absl/status/statusor.h"
#include "radix/flock/v1/flock.pb.h"
#include "services/registry/group.h"

namespace radix::registry {

// InvalidArgument, naming the field, for what cannot be.
absl::StatusOr<Group> GroupFrom(const flock::v1::WatchGroupResponse& message);

}  // namespace radix::registry
