#include "services/reeve/bound_pairing_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/grpc_status.h"

namespace radix::reeve {
namespace {

using trust::v1::GuardRequest;
using trust::v1::IntroduceRequest;

absl::Status CheckGuard(const trust::Door& door, const GuardRequest& request) {
  if (!request.has_endpoint()) return absl::OkStatus();
  const trust::v1::GuardedEndpoint& said = request.endpoint();
  const trust::Claim claim{
      .horde = said.horde(), .service = said.service(), .api = said.api(), .inst = said.inst()};
  return CheckClaim(door, "endpoint.", claim);
}

absl::Status CheckIntroduce(const trust::Door& door, const IntroduceRequest& request) {
  for (int i = 0; i < request.pairs_size(); ++i) {
    const trust::v1::Pair& said = request.pairs(i);
    const trust::Claim claim{.horde = said.horde(), .service = said.service()};
    auto may = CheckClaim(door, absl::StrCat("pairs[", i, "]."), claim);
    if (!may.ok()) return may;
  }
  return absl::OkStatus();
}

absl::Status TooMany(const trust::Door& door, const std::string& what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the plugin ", door.id, " has too many ", what, " at once"));
}

grpc::ServerUnaryReactor* RefuseOf(grpc::CallbackServerContext* context, const trust::Door& door) {
  return confab::Answer(context,
                        absl::PermissionDeniedError(absl::StrCat(
                            "this is the door of ", door.who.ToString(),
                            "; the node's keys are for its operator, at the node's own socket")));
}

}  // namespace

grpc::ServerBidiReactor<GuardRequest, trust::v1::GuardResponse>* BoundPairingService::Guard(
    grpc::CallbackServerContext* context) {
  auto taken = guards_.Take();
  const absl::Status admitted = taken ? absl::OkStatus() : TooMany(door_, "endpoints");
  return node_.GuardIf(context, admitted,
                       [this, taken = std::move(taken)](const GuardRequest& request) {
                         return CheckGuard(door_, request);
                       });
}

grpc::ServerBidiReactor<IntroduceRequest, trust::v1::IntroduceResponse>*
BoundPairingService::Introduce(grpc::CallbackServerContext* context) {
  auto taken = callers_.Take();
  const absl::Status admitted = taken ? absl::OkStatus() : TooMany(door_, "callers");
  return node_.IntroduceIf(context, admitted,
                           [this, taken = std::move(taken)](const IntroduceRequest& request) {
                             return CheckIntroduce(door_, request);
                           });
}

// The node's own refuses whoever shows no certificate of a reeve, which nobody does at a socket.
grpc::ServerBidiReactor<trust::v1::AnnounceRequest, trust::v1::AnnounceResponse>*
BoundPairingService::Announce(grpc::CallbackServerContext* context) {
  return node_.Announce(context);
}

grpc::ServerUnaryReactor* BoundPairingService::RollKeys(
    grpc::CallbackServerContext* context, const trust::v1::RollKeysRequest* /*request*/,
    trust::v1::RollKeysResponse* /*response*/) {
  return RefuseOf(context, door_);
}

grpc::ServerUnaryReactor* BoundPairingService::ListKeys(
    grpc::CallbackServerContext* context, const trust::v1::ListKeysRequest* /*request*/,
    trust::v1::ListKeysResponse* /*response*/) {
  return RefuseOf(context, door_);
}

}  // namespace radix::reeve
