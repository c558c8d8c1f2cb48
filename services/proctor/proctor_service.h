// proctor's gRPC face: checks, asks the driver, translates.

#pragma once

#include <memory>

#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/node.h"
#include "services/proctor/proctor_driver.h"

namespace radix::proctor {

// Thread-safe.
class ProctorServiceImpl final : public v1::ProctorService::CallbackService {
 public:
  ProctorServiceImpl(confab::Node node, std::shared_ptr<ProctorDriver> driver)
      : node_(std::move(node)), driver_(std::move(driver)) {}

  grpc::ServerUnaryReactor* Apply(grpc::CallbackServerContext* context,
                                  const v1::ApplyRequest* request,
                                  v1::ApplyResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerUnaryReactor* Propose(grpc::CallbackServerContext* context,
                                    const v1::ProposeRequest* request,
                                    v1::ProposeResponse* response) override;
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const v1::ListDecisionsRequest* request,
                                          v1::ListDecisionsResponse* response) override;
  grpc::ServerBidiReactor<v1::FollowRequest, v1::FollowResponse>* Follow(
      grpc::CallbackServerContext* context) override;

 private:
  const confab::Node node_;
  const std::shared_ptr<ProctorDriver> driver_;
};

}  // namespace radix::proctor
