// ReeveService as a plugin has it, behind its door.

#pragma once

#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/reeve/quota_driver.h"
#include "services/reeve/watched_reeve_service.h"
#include "services/trust/plugin_door.h"

namespace radix::reeve {

// It may look at everything, as the node's own may, and adds to the inventory only what is its own.
// Thread-safe. Must outlive the server that it is registered with.
class BoundReeveService final : public v1::ReeveService::CallbackService {
 public:
  // `node`, the node's own, must outlive this; `all` is what the doors of the node have together.
  BoundReeveService(trust::Door door, WatchedReeve& node, Quota& all)
      : door_(std::move(door)), node_(node), all_(all) {}

  grpc::ServerUnaryReactor* Lookup(grpc::CallbackServerContext* context,
                                   const v1::LookupRequest* request,
                                   v1::LookupResponse* response) override {
    return node_.Lookup(context, request, response);
  }
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const v1::ListInstancesRequest* request,
                                          v1::ListInstancesResponse* response) override {
    return node_.ListInstances(context, request, response);
  }
  grpc::ServerUnaryReactor* GetState(grpc::CallbackServerContext* context,
                                     const v1::GetStateRequest* request,
                                     v1::GetStateResponse* response) override {
    return node_.GetState(context, request, response);
  }
  grpc::ServerUnaryReactor* SearchEntries(grpc::CallbackServerContext* context,
                                          const muster::v1::SearchRequest* request,
                                          muster::v1::SearchResponse* response) override {
    return node_.SearchEntries(context, request, response);
  }

  // PermissionDenied, naming the field, for an entry of another horde or api.
  grpc::ServerUnaryReactor* RegisterEntry(grpc::CallbackServerContext* context,
                                          const muster::v1::RegisterRequest* request,
                                          muster::v1::RegisterResponse* response) override;

 private:
  const trust::Door door_;
  WatchedReeve& node_;
  Quota watches_{256};
  Quota& all_;
};

}  // namespace radix::reeve
