// The gRPC face of the heartbeater.

#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "services/confab/node.h"
#include "services/confab/server_stream.h"
#include "services/confab/timer_thread.h"
#include "services/heartbeater/liveness.h"
#include "services/heartbeater/process_driver.h"
#include "services/registry/pulled_stream.h"

namespace radix::heartbeater {

// Thread-safe. Must outlive the server that it is registered with.
class HeartbeaterServiceImpl final : public v1::HeartbeaterService::CallbackService {
 public:
  HeartbeaterServiceImpl(confab::Node node, std::string bloc);

  grpc::ServerBidiReactor<v1::BeatRequest, v1::BeatResponse>* Beat(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const v1::ListInstancesRequest* request,
                                          v1::ListInstancesResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override;

  // Has the service take a turn, then calls `then` on its thread; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { timer_.AfterTurn(std::move(then)); }

  // Ends all streams, and all that would come later: the process is about to end.
  void EndStreams();

 private:
  using BeatStream = confab::ServerBidi<v1::BeatRequest, v1::BeatResponse>;
  using WatchStream = registry::PulledStream<v1::WatchResponse>;

  // What one watcher was told last.
  struct Cursor {
    std::optional<std::uint64_t> revision;
    std::uint64_t round = 0;
  };

  void HandleBeat(BeatStream& stream, StreamId id, const v1::BeatRequest& request);
  absl::StatusOr<Accepted> Accept(StreamId id, const v1::BeatRequest& request);
  void HandleDone(StreamId id, bool broken);
  void HandleGone(StreamId id);
  void ForgetProcesses(const std::vector<StreamId>& streams);
  bool NextFor(Cursor& cursor, v1::WatchResponse& response);
  Instant Tick(Instant now);

  const confab::Node node_;
  const std::string bloc_;
  const std::string origin_;
  std::mutex mutex_;
  Liveness liveness_;
  StreamId last_stream_ = 0;
  std::uint64_t round_ = 1;  // every watcher hears something in every round
  Instant next_round_at_;
  registry::StreamSet<BeatStream> beats_;
  registry::StreamSet<WatchStream> watchers_;
  ProcessWatch processes_;     // its thread uses the above
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::heartbeater
