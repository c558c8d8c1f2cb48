// Heartbeats, turned into checked values.

#pragma once

#include "absl/status/statusor.h"
#include "radix/heartbeater/v1/heartbeater.pb.h"
#include "services/confab/node.h"
#include "services/heartbeater/liveness.h"

namespace radix::heartbeater {

// A beat to the heartbeater of `node`, which belongs to the bloc `bloc`. InvalidArgument, beginning
// with the field's name, for what the proto forbids.
absl::StatusOr<Beat> BeatFrom(const v1::BeatRequest& message, const confab::Node& node,
                              const std::string& bloc);

}  // namespace radix::heartbeater
