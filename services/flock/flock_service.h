// The gRPC face of flock, for its own node.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "radix/flock/v1/flock.grpc.pb.h"
#include "services/confab/server_stream.h"
#include "services/confab/timer_thread.h"
#include "services/flock/event_watch_service.h"
#include "services/flock/flock_driver.h"
#include "services/flock/key_service.h"

namespace radix::flock {

// Thread-safe. Must outlive the server that it is registered with, and every call of Wake.
class FlockServiceImpl final : public v1::FlockService::CallbackService {
 public:
  static constexpr std::size_t kWatchersMax = 64;
  static constexpr std::int32_t kEventsMost = 10'000;  // in one answer
  static constexpr std::int32_t kEventsDefault = 1'000;

  // `driver` must outlive it.
  explicit FlockServiceImpl(FlockDriver& driver);

  grpc::ServerUnaryReactor* ListMembers(grpc::CallbackServerContext* context,
                                        const v1::ListMembersRequest* request,
                                        v1::ListMembersResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchGroupResponse>* WatchGroup(
      grpc::CallbackServerContext* context, const v1::WatchGroupRequest* request) override;
  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const v1::ListEventsRequest* request,
                                       v1::ListEventsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchEventsResponse>* WatchEvents(
      grpc::CallbackServerContext* context, const v1::WatchEventsRequest* request) override;
  grpc::ServerUnaryReactor* ExplainNode(grpc::CallbackServerContext* context,
                                        const v1::ExplainNodeRequest* request,
                                        v1::ExplainNodeResponse* response) override;
  grpc::ServerUnaryReactor* GetCounters(grpc::CallbackServerContext* context,
                                        const v1::GetCountersRequest* request,
                                        v1::GetCountersResponse* response) override;
  grpc::ServerUnaryReactor* GetKeys(grpc::CallbackServerContext* context,
                                    const v1::GetKeysRequest* request,
                                    v1::GetKeysResponse* response) override;
  grpc::ServerUnaryReactor* RotateSecondaryKey(grpc::CallbackServerContext* context,
                                               const v1::RotateSecondaryKeyRequest* request,
                                               v1::RotateSecondaryKeyResponse* response) override;

  // The group changed: tells all watchers, soon and on another thread.
  void Wake();

  // Ends all watches and questions to the leader, and all that would come later: the process is
  // about to end.
  void EndStreams();

 private:
  using Stream = confab::ServerStream<v1::WatchGroupResponse>;

  Instant Tick(Instant now);
  v1::WatchGroupResponse Next();
  std::vector<std::shared_ptr<Stream>> Watchers();

  FlockDriver& driver_;
  std::mutex mutex_;
  std::set<std::shared_ptr<Stream>> watchers_;
  bool ended_ = false;
  std::mutex sending_;  // held while a revision is made and sent: they arrive in order
  std::int64_t revision_ = 0;
  Instant quiet_until_{};  // only the timer's
  bool woken_ = false;
  EventWatchService events_;
  KeyService keys_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::flock
