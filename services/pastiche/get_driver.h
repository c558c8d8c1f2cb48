// One Get: a stream of chunks out of the store, pulled into it first if need be.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <mutex>

#include "clients/cpp/checksum.h"
#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "services/pastiche/pulls_driver.h"
#include "services/pastiche/store_driver.h"
#include "services/pastiche/transfers_driver.h"
#include "services/pastiche/workers_driver.h"

namespace radix::pastiche {

// Sends one chunk at a time: the next is read from the disk when gRPC has taken this one. Keeps
// itself alive until gRPC is done with it.
class GetStream final : public grpc::ServerWriteReactor<v1::GetResponse> {
 public:
  // All but the request outlive it. Returns the reactor for gRPC.
  static GetStream* Create(grpc::CallbackServerContext* context, const v1::GetRequest& request,
                           const Store& store, Pulls& pulls, Transfers& transfers,
                           Workers& workers);

 private:
  GetStream(const Store& store, Pulls& pulls, Workers& workers)
      : store_(store), pulls_(pulls), workers_(workers) {}

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  absl::Status Check(const v1::GetRequest& request);
  void Open();
  void Pull();
  void SendNext();
  void End(const absl::Status& status);

  const Store& store_;
  Pulls& pulls_;
  Workers& workers_;
  std::unique_ptr<Transfer> transfer_;
  Checksum checksum_;
  std::int64_t offset_ = 0;
  bool may_pull_ = false;
  std::unique_ptr<StoredFile> file_;
  v1::GetResponse response_;
  std::mutex mutex_;
  bool pulling_ = false;  // nobody but the end of the pull, or a cancellation, ends the call
  bool cancelled_ = false;
  std::shared_ptr<GetStream> self_;
};

}  // namespace radix::pastiche
