#include "services/proctor/group_codec.h"

namespace radix::proctor {
namespace {

Duration ToDuration(const google::protobuf::Duration& wire) {
  return std::chrono::seconds(wire.seconds()) + std::chrono::nanoseconds(wire.nanos());
}

}  // namespace

Group ToGroup(const flock::v1::WatchGroupResponse& wire, const std::string& address, Instant now) {
  Group group;
  group.epoch = wire.epoch();
  group.leader_address = wire.leader_address();
  if (wire.has_lease_remaining_duration()) {
    group.lease_until = now + ToDuration(wire.lease_remaining_duration());
  }
  group.granted_epoch = wire.granted_epoch();
  group.granted_address = wire.granted_address();
  group.grant_until = now + ToDuration(wire.grant_remaining_duration());
  group.quorum = static_cast<std::size_t>(wire.quorum() > 0 ? wire.quorum() : 0);
  for (const flock::v1::Member& member : wire.members()) {
    if (member.address() == address) group.own_boot = member.boot();
    if (member.state() == flock::v1::MEMBER_STATE_ALIVE) group.alive.insert(member.address());
  }
  return group;
}

}  // namespace radix::proctor
