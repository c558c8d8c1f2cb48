#include "services/flock/revocation_driver.h"

namespace radix::flock {

std::unique_ptr<trust::RevokedLink> FollowRevocations(const confab::Node& node,
                                                      FlockDriver& driver) {
  const auto tell = [&driver](const trust::Revoked& revoked, bool is_known) {
    // Of what it remembers itself nothing is forgotten because dean has lost its disk.
    if (is_known) driver.SetRevoked({revoked.nodes.begin(), revoked.nodes.end()});
  };
  return std::make_unique<trust::RevokedLink>(node, tell);
}

}  // namespace radix::flock
