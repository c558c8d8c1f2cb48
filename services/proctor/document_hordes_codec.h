// Hordes among what the group decided: what they are, and who needs them to be there.

#pragma once

#include "absl/status/status.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/registry/hordes.h"

namespace radix::proctor {

// The hordes that were decided, and those that every group has.
registry::Hordes HordesOf(const v1::DocumentBody& body);

// Whether that may be decided next.
//
// Of a manifest: InvalidArgument, naming the field, when there is no such horde;
// AlreadyExists, when another horde has a manifest of that name.
absl::Status CheckHordes(const v1::DocumentBody& body, const v1::Manifest& manifest);

// Of a horde: FailedPrecondition, when one that is used would be removed; ResourceExhausted, when
// there are too many. Of an entry of the inventory: InvalidArgument, when there is no such horde.
absl::Status CheckHordes(const v1::DocumentBody& body, const v1::Decision& decision);

}  // namespace radix::proctor
