// The gRPC face of the healthminder.

#pragma once

#include <mutex>

#include "clients/cpp/subscription.h"
#include "radix/healthminder/v1/healthminder.grpc.pb.h"
#include "radix/reeve/v1/reeve.pb.h"
#include "services/confab/node.h"
#include "services/healthminder/availability.h"

namespace radix::healthminder {

// Follows its node's reeve. Thread-safe. Must outlive the server that it is registered with.
class HealthminderServiceImpl final : public v1::HealthminderService::CallbackService {
 public:
  explicit HealthminderServiceImpl(const confab::Node& node);

  grpc::ServerUnaryReactor* ListAvailability(grpc::CallbackServerContext* context,
                                             const v1::ListAvailabilityRequest* request,
                                             v1::ListAvailabilityResponse* response) override;

 private:
  void HandleChanges(const reeve::v1::WatchResponse& message);

  std::mutex mutex_;
  AvailabilityLog log_;
  Subscription<reeve::v1::WatchResponse> reeve_;  // last: its threads use the others
};

}  // namespace radix::healthminder
