#include "services/healthminder/healthminder_service.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"
#include "services/registry/registry_codec.h"

namespace radix::healthminder {
namespace {

using google::protobuf::util::TimeUtil;

reeve::v1::WatchRequest AllInstances() {
  reeve::v1::WatchRequest request;
  request.mutable_selector()->set_horde("*");
  return request;
}

v1::Availability ToProto(const Availability& from, std::int64_t wall_now_ns) {
  v1::Availability message;
  *message.mutable_instance() = registry::ToProto(from.instance);
  *message.mutable_since_time() = registry::ToTimestamp(wall_now_ns - from.age.count());
  *message.mutable_up_duration() = TimeUtil::NanosecondsToDuration(from.up.count());
  message.set_flap_count(static_cast<std::int32_t>(from.flaps));
  return message;
}

}  // namespace

HealthminderServiceImpl::HealthminderServiceImpl(const confab::Node& node)
    : reeve_(WatchLocal<reeve::v1::ReeveService>(
                 node, "reeve", &reeve::v1::ReeveService::Stub::async::Watch, AllInstances()),
             [this](const reeve::v1::WatchResponse& message) { HandleChanges(message); }) {}

void HealthminderServiceImpl::HandleChanges(const reeve::v1::WatchResponse& message) {
  const auto delta = registry::DeltaFrom("delta", message.delta());
  if (!delta.ok()) {
    spdlog::error("reeve: {}", std::string(delta.status().message()));
    return;
  }
  const std::lock_guard lock(mutex_);
  log_.HandleDelta(*delta, confab::Now());
}

grpc::ServerUnaryReactor* HealthminderServiceImpl::ListAvailability(
    grpc::CallbackServerContext* context, const v1::ListAvailabilityRequest* request,
    v1::ListAvailabilityResponse* response) {
  const auto selector = registry::SelectorFrom(
      "selector", request->selector(), {.may_be_open = true, .all_hordes_by_default = true});
  if (!selector.ok()) return confab::Answer(context, selector.status());
  const std::int64_t wall_now = confab::WallNanoseconds();
  {
    const std::lock_guard lock(mutex_);
    for (const Availability& each : log_.List(*selector, confab::Now())) {
      *response->add_availabilities() = ToProto(each, wall_now);
    }
  }
  return confab::Answer(context, absl::OkStatus());
}

}  // namespace radix::healthminder
