// PairingService as a plugin has it, behind its door.

#pragma once

#include "services/reeve/quota_driver.h"
#include "services/trust/pairing_service.h"
#include "services/trust/plugin_door.h"

namespace radix::reeve {

// Lets it call and be called as who it is, and as nobody else: a message that names another horde,
// service, api or inst ends the stream with PERMISSION_DENIED and names the field. What is the
// operator's or other reeves' is refused. Thread-safe. Must outlive the server that it is
// registered with.
class BoundPairingService final : public trust::v1::PairingService::CallbackService {
 public:
  // `node`, the node's own, must outlive this.
  BoundPairingService(trust::Door door, trust::PairingServiceImpl& node)
      : door_(std::move(door)), node_(node) {}

  grpc::ServerBidiReactor<trust::v1::GuardRequest, trust::v1::GuardResponse>* Guard(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<trust::v1::IntroduceRequest, trust::v1::IntroduceResponse>* Introduce(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<trust::v1::AnnounceRequest, trust::v1::AnnounceResponse>* Announce(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* RollKeys(grpc::CallbackServerContext* context,
                                     const trust::v1::RollKeysRequest* request,
                                     trust::v1::RollKeysResponse* response) override;
  grpc::ServerUnaryReactor* ListKeys(grpc::CallbackServerContext* context,
                                     const trust::v1::ListKeysRequest* request,
                                     trust::v1::ListKeysResponse* response) override;

 private:
  const trust::Door door_;
  trust::PairingServiceImpl& node_;
  Quota guards_{16};
  Quota callers_{64};
};

}  // namespace radix::reeve
