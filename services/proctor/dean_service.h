// dean's gRPC face: answers for its node, and carries to the proctor what is the group's.

#pragma once

#include <memory>

#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/proctor/dean_driver.h"
#include "services/registry/pulled_stream.h"

namespace radix::proctor {

// Thread-safe.
class DeanServiceImpl final : public v1::DeanService::CallbackService {
 public:
  explicit DeanServiceImpl(std::shared_ptr<DeanDriver> driver);
  // The driver may live on; it is told nothing any more.
  ~DeanServiceImpl() override;

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
  grpc::ServerWriteReactor<v1::WatchDecisionsResponse>* WatchDecisions(
      grpc::CallbackServerContext* context, const v1::WatchDecisionsRequest* request) override;
  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* context,
                                    const v1::GetNodeRequest* request,
                                    v1::GetNodeResponse* response) override;

  // Ends all streams, and all that would come later; and what its driver does.
  void Close();

 private:
  using WatchStream = registry::PulledStream<v1::WatchDecisionsResponse>;
  static constexpr std::size_t kWatchersMax = 64;

  const std::shared_ptr<DeanDriver> driver_;
  registry::StreamSet<WatchStream> watchers_{kWatchersMax};
};

}  // namespace radix::proctor
