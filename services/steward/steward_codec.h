// The messages between reeves and the steward, turned into checked values.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "radix/steward/v1/steward.pb.h"
#include "services/steward/group_table.h"

namespace radix::steward {

// A checked Hello.
struct Introduction {
  std::uint64_t epoch = 0;
  NodeHello node;
  std::vector<registry::Selector> subscriptions;  // none: all
};

// InvalidArgument, beginning with the field's name, for what the proto forbids; also for instances
// that are not the node's own.
absl::StatusOr<Introduction> HelloFrom(const v1::Hello& message);

// The same for the changes of the node of that name and address.
absl::StatusOr<registry::Delta> NodeDeltaFrom(const std::string& field,
                                              const ::radix::registry::v1::Delta& message,
                                              const std::string& node, const IpAddress& address);

}  // namespace radix::steward
