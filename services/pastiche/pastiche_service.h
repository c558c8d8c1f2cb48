// pastiche's gRPC face.

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <utility>

#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "services/confab/node.h"
#include "services/pastiche/pulls_driver.h"
#include "services/pastiche/store_driver.h"
#include "services/pastiche/transfers_driver.h"
#include "services/pastiche/workers_driver.h"

namespace radix::pastiche {

// What a service may use; see the parts.
struct ServiceOptions {
  TransferOptions transfers;
  PullOptions pull;
};

// Thread-safe. Must outlive the server that hosts it.
class PasticheService final : public v1::PasticheService::CallbackService {
 public:
  // Serves `store`, which must outlive it; finds peers through the reeve of `node`.
  PasticheService(const confab::Node& node, const Store& store, const ServiceOptions& options = {});

  grpc::ServerReadReactor<v1::PutRequest>* Put(grpc::CallbackServerContext* context,
                                               v1::PutResponse* response) override;
  grpc::ServerWriteReactor<v1::GetResponse>* Get(grpc::CallbackServerContext* context,
                                                 const v1::GetRequest* request) override;
  grpc::ServerUnaryReactor* Pull(grpc::CallbackServerContext* context,
                                 const v1::PullRequest* request,
                                 v1::PullResponse* response) override;
  grpc::ServerUnaryReactor* ListFiles(grpc::CallbackServerContext* context,
                                      const v1::ListFilesRequest* request,
                                      v1::ListFilesResponse* response) override;

  // Has the service take a turn, then calls `then` on its thread; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { transfers_.AfterTurn(std::move(then)); }

 private:
  const Store& store_;
  Transfers transfers_;
  Workers workers_;
  Pulls pulls_;  // last: its threads use the others
};

}  // namespace radix::pastiche
