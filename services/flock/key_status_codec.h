// Orders and reports about the secondary key, as protobuf and for people.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "radix/flock/v1/flock.pb.h"
#include "services/flock/flock_driver.h"
#include "services/flock/key_order.h"

namespace radix::flock {

// A key's tag as eight hex digits; empty for 0.
std::string KeyName(std::uint32_t tag);

// InvalidArgument, naming the field, if it is malformed.
absl::StatusOr<KeyOrder> FromProto(const v1::RotateSecondaryKeyRequest& request);

v1::SecondaryKeyStatus ToProto(const KeyReport& report, const Group& group);

// `missing`: the slots of all who have not acknowledged.
v1::GetKeysResponse ToProto(const KeyReport& report, const std::vector<std::uint32_t>& missing,
                            const Group& group);

// What came of an order, as the rpcs' errors list it, in words that say what to do.
absl::Status ToStatus(const KeyReport& report, const Group& group);

}  // namespace radix::flock
