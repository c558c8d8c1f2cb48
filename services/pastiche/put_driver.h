// One Put: a stream of chunks into the store.

#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "services/pastiche/store_driver.h"
#include "services/pastiche/transfers_driver.h"
#include "services/pastiche/workers_driver.h"

namespace radix::pastiche {

// The most bytes that one message may carry.
inline constexpr std::size_t kPutChunkMax = 1 << 20;

// Takes one chunk at a time: the next is read from the network when this one is on its way to the
// disk. Keeps itself alive until gRPC is done with it.
class PutStream final : public grpc::ServerReadReactor<v1::PutRequest> {
 public:
  // All outlive it. Returns the reactor for gRPC.
  static PutStream* Create(grpc::CallbackServerContext* context, v1::PutResponse* response,
                           const Store& store, Transfers& transfers, Workers& workers);

 private:
  PutStream(grpc::CallbackServerContext* context, v1::PutResponse* response, const Store& store,
            Workers& workers)
      : context_(context), response_(response), store_(store), workers_(workers) {}

  void OnReadDone(bool ok) override;
  void OnDone() override { self_.reset(); }

  void Read();
  absl::Status TakeIn();
  absl::Status Commit();

  grpc::CallbackServerContext* const context_;
  v1::PutResponse* const response_;
  const Store& store_;
  Workers& workers_;
  std::unique_ptr<Transfer> transfer_;
  std::unique_ptr<Incoming> incoming_;  // none before the first message
  v1::PutRequest request_;
  std::shared_ptr<PutStream> self_;
};

}  // namespace radix::pastiche
