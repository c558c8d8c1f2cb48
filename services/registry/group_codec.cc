#include "services/registry/group_codec.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix::registry {
namespace {

absl::StatusOr<IpAddress> AddressFrom(const std::string& field, const std::string& text) {
  auto address = IpAddress::Parse(text);
  if (address.ok()) return address;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", address.status().message()));
}

bool IsAlive(flock::v1::MemberState state) {
  return state == flock::v1::MEMBER_STATE_ALIVE || state == flock::v1::MEMBER_STATE_SUSPECT;
}

}  // namespace

absl::StatusOr<Group> GroupFrom(const flock::v1::WatchGroupResponse& message) {
  Group group;
  if (message.epoch() < 0) return absl::InvalidArgumentError("epoch: is negative");
  group.epoch = static_cast<std::uint64_t>(message.epoch());
  if (!message.leader_address().empty()) {
    auto leader = AddressFrom("leader_address", message.leader_address());
    if (!leader.ok()) return leader.status();
    group.leader = *leader;
  }
  if (message.has_lease_remaining_duration()) {
    group.lease_remaining = Duration(google::protobuf::util::TimeUtil::DurationToNanoseconds(
        message.lease_remaining_duration()));
  }
  group.turned_away = message.turned_away();
  for (int i = 0; i < message.members_size(); ++i) {
    const flock::v1::Member& from = message.members(i);
    auto address = AddressFrom(absl::StrCat("members[", i, "].address"), from.address());
    if (!address.ok()) return address.status();
    group.members.push_back({.address = *address,
                             .node = from.node(),
                             .boot = from.boot(),
                             .labels = {from.labels().begin(), from.labels().end()},
                             .alive = IsAlive(from.state())});
  }
  return group;
}

}  // namespace radix::registry
