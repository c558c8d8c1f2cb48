// What a door needs of the node's own reeve.

#pragma once

#include <memory>

#include "radix/reeve/v1/reeve.grpc.pb.h"

namespace radix::reeve {

// ReeveService, and its Watch with a place that is taken for as long as the stream lasts.
class WatchedReeve : public v1::ReeveService::CallbackService {
 public:
  // As Watch. `held` is let go when the stream has ended.
  virtual grpc::ServerWriteReactor<v1::WatchResponse>* WatchHolding(
      grpc::CallbackServerContext* context, const v1::WatchRequest* request,
      std::shared_ptr<void> held) = 0;
};

}  // namespace radix::reeve
