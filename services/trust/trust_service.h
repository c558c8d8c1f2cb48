// The gRPC face of trust, which reeve serves to its own node.

#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "radix/trust/v1/trust.grpc.pb.h"
#include "services/registry/pulled_stream.h"
#include "services/trust/node_keys.h"

namespace radix::trust {

// Thread-safe. Must outlive the server that it is registered with.
class TrustServiceImpl final : public v1::TrustService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::WatchPeersResponse>* WatchPeers(
      grpc::CallbackServerContext* context, const v1::WatchPeersRequest* request) override;

  // Who lives, each with a fingerprint.
  void SetNodes(const std::vector<NodeKey>& living);

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using WatchStream = registry::PulledStream<v1::WatchPeersResponse>;
  static constexpr std::size_t kWatchersMax = 1024;

  bool NextFor(std::optional<std::uint64_t>& revision, v1::WatchPeersResponse& response);

  std::mutex mutex_;
  NodeKeys nodes_;
  registry::StreamSet<WatchStream> watchers_{kWatchersMax};
};

}  // namespace radix::trust
