// Follows what this node's dean has on disk of what was revoked.

#pragma once

#include <functional>

#include "clients/cpp/subscription.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/confab/node.h"
#include "services/trust/revoked.h"

namespace radix::trust {

// Watches STATE/dean.sock for as long as it exists, through restarts of dean.
class RevokedLink {
 public:
  // `on_revoked` gets all that was revoked, at once and whenever that changed; nothing before dean
  // has read its disk, and it may hold what no quorum has acknowledged yet. `is_known`: dean has
  // the group's decisions; otherwise it was never told of any, or has lost its disk. What is
  // malformed is logged and left out. Runs on gRPC's threads, one call at a time, and must not
  // block.
  RevokedLink(const confab::Node& node,
              std::function<void(Revoked revoked, bool is_known)> on_revoked);

 private:
  Subscription<proctor::v1::WatchDecisionsResponse> subscription_;
};

}  // namespace radix::trust
