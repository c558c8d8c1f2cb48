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

Duration DurationFrom(const google::protobuf::Duration& message) {
  return Duration(google::protobuf::util::TimeUtil::DurationToNanoseconds(message));
}

absl::StatusOr<std::optional<Grant>> GrantFrom(const flock::v1::WatchGroupResponse& message) {
  if (message.granted_epoch() < 0) return absl::InvalidArgumentError("granted_epoch: is negative");
  // A holder that flock does not know any more is nobody to follow.
  if (message.granted_epoch() == 0 || message.granted_address().empty()) return std::nullopt;
  auto leader = AddressFrom("granted_address", message.granted_address());
  if (!leader.ok()) return leader.status();
  return Grant{.epoch = static_cast<std::uint64_t>(message.granted_epoch()),
               .leader = *leader,
               .remaining = DurationFrom(message.grant_remaining_duration())};
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
    group.lease_remaining = DurationFrom(message.lease_remaining_duration());
  }
  auto grant = GrantFrom(message);
  if (!grant.ok()) return grant.status();
  group.grant = *grant;
  if (message.quorum() < 0) return absl::InvalidArgumentError("quorum: is negative");
  group.quorum = static_cast<std::size_t>(message.quorum());
  group.turned_away = message.turned_away();
  for (int i = 0; i < message.members_size(); ++i) {
    const flock::v1::Member& from = message.members(i);
    auto address = AddressFrom(absl::StrCat("members[", i, "].address"), from.address());
    if (!address.ok()) return address.status();
    const bool suspected = from.state() == flock::v1::MEMBER_STATE_SUSPECT;
    const bool alive = suspected || from.state() == flock::v1::MEMBER_STATE_ALIVE;
    group.members.push_back({.address = *address,
                             .node = from.node(),
                             .boot = from.boot(),
                             .labels = {from.labels().begin(), from.labels().end()},
                             .alive = alive && !from.revoked(),
                             .suspected = suspected,
                             .fingerprint = from.key_fingerprint()});
  }
  return group;
}

}  // namespace radix::registry
