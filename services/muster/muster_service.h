// The gRPC face of the inventory; runs within the steward.

#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "radix/muster/v1/muster.grpc.pb.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/backoff.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/muster/inventory.h"

namespace radix::muster {

// Answers from memory, which it fills from the group's decisions when it starts; an entry is
// acknowledged when the proctor of this node has had it kept. Thread-safe. Must outlive the server
// that it is registered with; when it is destroyed it waits for its calls to the proctor.
class MusterServiceImpl final : public v1::MusterService::CallbackService {
 public:
  // `check_lease` says whether the steward may still act; it must not block.
  MusterServiceImpl(const confab::Node& node, std::function<absl::Status()> check_lease);
  ~MusterServiceImpl() override;

  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const v1::RegisterRequest* request,
                                     v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* Search(grpc::CallbackServerContext* context,
                                   const v1::SearchRequest* request,
                                   v1::SearchResponse* response) override;

 private:
  struct ListCall;
  struct ProposeCall;

  absl::Status CheckReady();
  Instant Tick(Instant now);
  void HandleListed(ListCall& call, const grpc::Status& status);
  void HandleProposed(ProposeCall& call, const grpc::Status& status);

  const confab::Node node_;
  const std::function<absl::Status()> check_lease_;
  std::mutex mutex_;
  std::condition_variable idle_;
  bool loaded_ = false;   // the group's decisions were listed once
  bool stale_ = true;     // they must be listed (again)
  bool listing_ = false;  // that is under way
  bool ending_ = false;
  std::map<grpc::ClientContext*, std::shared_ptr<void>> calls_;  // to the proctor, in flight
  Inventory inventory_;
  Instant next_try_at_;
  Random random_;
  Backoff backoff_;
  std::optional<confab::TimerThread> timer_;  // last: its thread uses the others
};

}  // namespace radix::muster
