// What the pairing service does for people: it lists keys, and has them replaced.

#include <algorithm>

#include "absl/status/status.h"
#include "services/confab/caller.h"
#include "services/confab/grpc_status.h"
#include "services/trust/pairing_codec.h"
#include "services/trust/pairing_service.h"

namespace radix::trust {
namespace {

constexpr char kOnlyThisNode[] = "only this node's own processes may ask";

}  // namespace

grpc::ServerUnaryReactor* PairingServiceImpl::RollKeys(grpc::CallbackServerContext* context,
                                                       const v1::RollKeysRequest* /*request*/,
                                                       v1::RollKeysResponse* response) {
  if (!confab::CameThroughUnixSocket(*context)) {
    return confab::Answer(context, absl::PermissionDeniedError(kOnlyThisNode));
  }
  std::vector<std::shared_ptr<GuardStream>> guards;
  std::vector<std::shared_ptr<IntroduceStream>> callers;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, guard] : guards_) {
      guard.roll = true;
      guards.push_back(guard.stream);
    }
    for (auto& [id, caller] : callers_) {
      caller.roll = true;
      callers.push_back(caller.stream);
    }
  }
  for (const auto& stream : guards) stream->Wake();
  for (const auto& stream : callers) stream->Wake();
  if (on_roll_) on_roll_();
  response->set_endpoint_count(static_cast<int>(guards.size()));
  response->set_caller_count(static_cast<int>(callers.size()));
  return confab::Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* PairingServiceImpl::ListKeys(grpc::CallbackServerContext* context,
                                                       const v1::ListKeysRequest* /*request*/,
                                                       v1::ListKeysResponse* response) {
  if (!confab::CameThroughUnixSocket(*context)) {
    return confab::Answer(context, absl::PermissionDeniedError(kOnlyThisNode));
  }
  const std::lock_guard lock(mutex_);
  for (const PairTable::Listed& each : pairs_.List()) {
    v1::CallingKey& calling = *response->add_calling();
    *calling.mutable_pair() = ToProto(each.pair);
    if (each.admission) *calling.mutable_admission() = ToProto(*each.admission);
  }
  for (const EndpointTable::Listed& each : endpoints_.List()) {
    v1::LetInKey& let_in = *response->add_let_in();
    *let_in.mutable_caller() = ToProto(each.caller);
    let_in.set_net_id(each.at.endpoint.ToString());
    let_in.set_horde(each.at.api.horde);
    let_in.set_api(each.at.api.service);
    let_in.set_inst(each.at.inst);
  }
  for (const GuardedEndpoint& each : endpoints_.Endpoints()) {
    *response->add_endpoints() = ToProto(each);
  }
  return confab::Answer(context, absl::OkStatus());
}

}  // namespace radix::trust
