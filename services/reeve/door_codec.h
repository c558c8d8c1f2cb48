// The messages about doors, checked.

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "radix/trust/v1/door.pb.h"
#include "services/trust/door_table.h"

namespace radix::reeve {

// InvalidArgument, naming the field, for what is malformed.
absl::StatusOr<std::vector<trust::Door>> DoorsFrom(const trust::v1::HoldDoorsRequest& message);

trust::v1::HoldDoorsResponse ToProto(std::int64_t number,
                                     const std::vector<trust::DoorReport>& report);

}  // namespace radix::reeve
