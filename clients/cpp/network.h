// The network as an application sees it: its own node, through which it finds everything else.

#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "services/confab/node.h"

namespace radix {

// A value; copy it freely.
struct Network {
  confab::Node node;

  // The node that this process runs on, from the environment that picket gives its plugins:
  // RADIX_NODE, RADIX_ADDRESS, RADIX_STATE and RADIX_FLOCK. FailedPrecondition, naming what is
  // missing; RADIX_FLOCK may be.
  static absl::StatusOr<Network> FromEnvironment() {
    auto node = confab::NodeFromEnvironment();
    if (!node.ok()) return node.status();
    return Network{*std::move(node)};
  }

  // The node whose sockets are in `state`, for programs that only call and do not serve.
  static Network At(std::filesystem::path state) {
    return Network{confab::Node{.state = std::move(state)}};
  }
};

}  // namespace radix
