// dean's gRPC face: answers for its node, and carries to the proctor what is the group's.

#pragma once

#include <memory>

#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/proctor/dean_driver.h"

namespace radix::proctor {

// Thread-safe.
class DeanServiceImpl final : public v1::DeanService::CallbackService {
 public:
  explicit DeanServiceImpl(std::shared_ptr<DeanDriver> driver) : driver_(std::move(driver)) {}

  grpc::ServerUnaryReactor* Apply(grpc::CallbackServerContext* context,
                                  const v1::ApplyRequest* request,
                                  v1::ApplyResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* context,
                                    const v1::GetNodeRequest* request,
                                    v1::GetNodeResponse* response) override;

 private:
  const std::shared_ptr<DeanDriver> driver_;
};

}  // namespace radix::proctor
