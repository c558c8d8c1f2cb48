// Follows what flock says to its own node.

#pragma once

#include <functional>

#include "clients/cpp/subscription.h"
#include "radix/flock/v1/flock.pb.h"
#include "services/confab/node.h"
#include "services/registry/group.h"

namespace radix::registry {

// Watches STATE/flock.sock for as long as it exists, through restarts of flock.
class GroupLink {
 public:
  // `on_group` gets the group's state at once and whenever it changes; it runs on gRPC's threads,
  // one call at a time, and must not block.
  GroupLink(const confab::Node& node, std::function<void(const Group&)> on_group);

 private:
  Subscription<flock::v1::WatchGroupResponse> subscription_;
};

}  // namespace radix::registry
