// The gRPC face of trust, which reeve serves to its own node.

#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "radix/trust/v1/trust.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/time.h"
#include "services/registry/pulled_stream.h"
#include "services/trust/current_rules_driver.h"
#include "services/trust/node_keys.h"
#include "services/trust/revoked.h"

namespace radix::trust {

// Thread-safe. Must outlive the server that it is registered with.
class TrustServiceImpl final : public v1::TrustService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::WatchPeersResponse>* WatchPeers(
      grpc::CallbackServerContext* context, const v1::WatchPeersRequest* request) override;

  // Who lives, each with a fingerprint. Until it is known what was revoked, or `kRevokedLimit` is
  // over, nobody is told: a reeve that was started again would forgive for a while.
  void SetNodes(const std::vector<NodeKey>& living);

  // All that was revoked, as this node has it on disk.
  void SetRevoked(Revoked revoked);

  // Whether this node has been without a leader for too long: see contact.h.
  void SetCutOff(bool cut_off);

  // Without dean, who has the disk, a node still takes part; but no operator is let in.
  static constexpr Duration kRevokedLimit = 5s;

  // The rules by which this node goes, as it has them on disk.
  CurrentRules& current_rules() { return current_rules_; }

  // Tells all watchers to show other keys.
  void Roll();

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using WatchStream = registry::PulledStream<v1::WatchPeersResponse>;
  static constexpr std::size_t kWatchersMax = 1024;

  // What one watcher was told last.
  struct Cursor {
    std::optional<std::uint64_t> revision;
    std::uint64_t revoked_revision = 0;
    std::uint64_t rolls = 0;  // when it came, or was told last
    bool cut_off = false;
  };

  bool NextFor(Cursor& cursor, v1::WatchPeersResponse& response);

  const Instant began_ = confab::Now();
  std::mutex mutex_;
  NodeKeys nodes_;
  std::optional<Revoked> revoked_;  // nullopt: nobody said
  std::uint64_t revoked_revision_ = 1;
  std::uint64_t rolls_ = 0;
  bool cut_off_ = false;
  bool waited_ = false;  // for what was revoked, long enough
  CurrentRules current_rules_;
  registry::StreamSet<WatchStream> watchers_{kWatchersMax};
};

}  // namespace radix::trust
