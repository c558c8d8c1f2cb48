// Brings to flock what the group has revoked.

#pragma once

#include <memory>

#include "services/confab/node.h"
#include "services/flock/flock_driver.h"
#include "services/trust/revoked_driver.h"

namespace radix::flock {

// Tells `driver`, for as long as what is returned exists, which nodes were revoked, as `node`'s own
// dean has it on disk. `driver` must outlive that.
std::unique_ptr<trust::RevokedLink> FollowRevocations(const confab::Node& node,
                                                      FlockDriver& driver);

}  // namespace radix::flock
