#include "clients/cli/observe.h"

#include "clients/cli/ask.h"
#include "radix/flock/v1/flock.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"

namespace radix::cli {
namespace {

using flock::v1::FlockService;
using reeve::v1::ReeveService;

constexpr CallOptions kQuick = {.timeout = 1s};

}  // namespace

absl::StatusOr<SeenMembers> MembersAt(const LabNode& node) {
  const auto reply =
      Ask<FlockService>(node, "flock", &FlockService::Stub::async::ListMembers, {}, kQuick);
  if (!reply.ok()) return reply.status();
  SeenMembers seen;
  for (const auto& member : reply->members()) {
    if (member.state() == flock::v1::MEMBER_STATE_ALIVE) {
      if (!member.node().empty()) seen.names.insert(member.node());
      seen.addresses.insert(member.address());
    }
    if (member.revoked()) seen.revoked.insert(member.address());
    if (member.leader()) {
      seen.leader = member.node();
      seen.leader_address = member.address();
      seen.epoch = reply->epoch();
    }
  }
  return seen;
}

absl::StatusOr<Serving> ServingAt(const LabNode& node) {
  const auto reply =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::ListInstances, {}, kQuick);
  if (!reply.ok()) return reply.status();
  Serving serving;
  for (const auto& instance : reply->instances()) {
    if (instance.horde() == "radix" && instance.status() == registry::v1::STATUS_SERVING) {
      serving.emplace(instance.node(), instance.api());
    }
  }
  return serving;
}

absl::StatusOr<std::int64_t> StewardEpochAt(const LabNode& node) {
  const auto state =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::GetState, {}, kQuick);
  if (!state.ok()) return state.status();
  return state->steward_connected() ? state->epoch() : 0;
}

}  // namespace radix::cli
