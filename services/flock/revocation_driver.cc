#include "services/flock/revocation_driver.h"

namespace radix::flock {

std::unique_ptr<trust::RevokedLink> FollowRevocations(const confab::Node& node,
                                                      FlockDriver& driver) {
  return std::make_unique<trust::RevokedLink>(node, [&driver](const trust::Revoked& revoked) {
    // None can be taken back: a dean that knows of none was never told, or has lost its disk.
    if (!revoked.nodes.empty()) driver.SetRevoked({revoked.nodes.begin(), revoked.nodes.end()});
  });
}

}  // namespace radix::flock
