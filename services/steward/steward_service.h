// The gRPC face of the steward.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "radix/steward/v1/steward.grpc.pb.h"
#include "services/confab/charter.h"
#include "services/confab/timer_thread.h"
#include "services/registry/group.h"
#include "services/registry/leader_lease.h"
#include "services/registry/pulled_stream.h"
#include "services/steward/group_table.h"
#include "services/steward/steward_codec.h"

namespace radix::steward {

// Acts under one epoch, within the lease that flock reports. Thread-safe. Must outlive the server
// that it is registered with.
class StewardServiceImpl final : public v1::StewardService::CallbackService {
 public:
  // `on_over` is called once, when the lease has run out: then the process should end. It must not
  // block.
  StewardServiceImpl(const Charter& charter, std::uint64_t epoch, std::function<void()> on_over);

  grpc::ServerBidiReactor<v1::SyncRequest, v1::SyncResponse>* Sync(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetState(grpc::CallbackServerContext* context,
                                     const v1::GetStateRequest* request,
                                     v1::GetStateResponse* response) override;

  // Tells it what flock says.
  void HandleGroup(const registry::Group& group);

  // OK while the steward may act; otherwise FailedPrecondition or Unavailable.
  absl::Status CheckLease();

  // Has the service take a turn, then calls `then` on its thread; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { timer_.AfterTurn(std::move(then)); }

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using SyncStream = registry::PulledBidi<v1::SyncRequest, v1::SyncResponse>;

  // One reeve's link.
  struct Link {
    StreamId id = 0;
    absl::StatusOr<std::optional<std::uint64_t>> proved;  // its node's key; see CallingNode
    std::string node;                                     // empty before the hello
    std::string peer;  // for the log: the node and its address, or whatever is known
    IpAddress address;
    std::vector<registry::Selector> subscriptions;
    std::optional<std::uint64_t> revision;  // what it was told last
    std::uint64_t round = 0;
    bool resend = false;
  };

  // One open stream. Who says no hello in time is found in the next round: no timer of its own.
  struct Open {
    std::shared_ptr<SyncStream> stream;
    Instant hello_by;  // Instant::max() after the hello
  };

  void HandleMessage(SyncStream& stream, Link& link, const v1::SyncRequest& request);
  absl::Status HandleHello(Link& link, const v1::Hello& message);
  absl::Status HandleDelta(Link& link, const v1::SyncRequest& request);
  void WakeIfChanged();
  void HandleDone(StreamId id, const std::shared_ptr<SyncStream>& stream);
  bool NextFor(Link& link, v1::SyncResponse& response);
  absl::Status LeaseStatus() const;
  std::vector<std::shared_ptr<SyncStream>> TakeSilent(Instant now);
  Instant Tick(Instant now);

  const AddressRanges ranges_;
  const std::string flock_id_;
  const std::string origin_;
  const std::function<void()> on_over_;
  mutable std::mutex mutex_;
  registry::LeaderLease lease_;
  bool told_over_ = false;
  GroupTable table_;
  std::map<IpAddress, std::uint64_t> fingerprints_;  // of nodes' keys, as flock lists them
  StreamId last_stream_ = 0;
  std::map<StreamId, Open> by_id_;
  std::uint64_t woken_revision_ = 0;
  std::uint64_t round_ = 1;  // every reeve hears something in every round
  Instant next_round_at_;
  registry::StreamSet<SyncStream> streams_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::steward
