// The network as an application sees it: its own node, through which it finds everything else.

#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "services/confab/node.h"

namespace radix {

// A value; copy it freely.
struct Network {
  confab::Node node;

  // The node that this process runs on, and who it is there, from the environment that picket gives
  // its plugins: RADIX_NODE, RADIX_ADDRESS, RADIX_STATE, and if they are set RADIX_FLOCK,
  // RADIX_HORDE and RADIX_SERVICE. FailedPrecondition, naming what is missing or malformed.
  static absl::StatusOr<Network> FromEnvironment();

  // The node whose sockets are in `state`, for programs that only call and do not serve; by rules
  // they are what `service` says.
  static Network At(std::filesystem::path state, const std::string& service = "operator");
};

}  // namespace radix
