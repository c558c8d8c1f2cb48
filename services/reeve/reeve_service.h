// The gRPC face of reeve.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/subscription.h"
#include "radix/heartbeater/v1/heartbeater.pb.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/reeve/directory.h"
#include "services/reeve/steward_link_driver.h"
#include "services/reeve/watched_reeve_service.h"
#include "services/registry/group_driver.h"
#include "services/registry/pulled_stream.h"
#include "services/trust/contact.h"
#include "services/trust/pairing_service.h"
#include "services/trust/trust_service.h"

namespace radix::reeve {

// Follows this node's heartbeater and flock, and the group's steward; answers from memory.
// Thread-safe. Must outlive the server that it is registered with.
class ReeveServiceImpl final : public WatchedReeve {
 public:
  // `steward_port` is the TCP port of the steward on whichever node leads; `trust` is told who
  // lives, what was revoked, and by which rules the node goes, `pairing` the first two; they must
  // outlive this.
  ReeveServiceImpl(const confab::Node& node, std::uint16_t steward_port,
                   trust::TrustServiceImpl& trust, trust::PairingServiceImpl& pairing);
  ~ReeveServiceImpl() override;

  grpc::ServerUnaryReactor* Lookup(grpc::CallbackServerContext* context,
                                   const v1::LookupRequest* request,
                                   v1::LookupResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override {
    return WatchHolding(context, request, nullptr);
  }
  grpc::ServerWriteReactor<v1::WatchResponse>* WatchHolding(grpc::CallbackServerContext* context,
                                                            const v1::WatchRequest* request,
                                                            std::shared_ptr<void> held) override;
  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const v1::ListInstancesRequest* request,
                                          v1::ListInstancesResponse* response) override;
  grpc::ServerUnaryReactor* GetState(grpc::CallbackServerContext* context,
                                     const v1::GetStateRequest* request,
                                     v1::GetStateResponse* response) override;
  grpc::ServerUnaryReactor* RegisterEntry(grpc::CallbackServerContext* context,
                                          const muster::v1::RegisterRequest* request,
                                          muster::v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* SearchEntries(grpc::CallbackServerContext* context,
                                          const muster::v1::SearchRequest* request,
                                          muster::v1::SearchResponse* response) override;

  // Has the service and its link to the steward take a turn, then calls `then`; see
  // clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) {
    timer_.AfterTurn([this, then = std::move(then)] { steward_->AfterTurn(then); });
  }

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using WatchStream = registry::PulledStream<v1::WatchResponse>;

  // What one watcher asked for and was told last.
  struct Cursor {
    registry::Selector selector;
    std::optional<std::uint64_t> revision;
  };

  bool NextFor(Cursor& cursor, v1::WatchResponse& response);
  void HandleOwn(const heartbeater::v1::WatchResponse& message);
  void HandleOwnLost();
  void HandleGroup(const registry::Group& group);
  void HandleDecisions(const proctor::v1::WatchDecisionsResponse& message);
  void HandleRules(const proctor::v1::Decision* decision);
  absl::Status HandleSteward(const steward::v1::SyncResponse& message);
  steward::v1::Hello MakeHello(std::uint64_t epoch);
  void Changed();
  void HandleContact(bool follows);
  void TellContact();
  Instant Tick(Instant now);

  const confab::Node node_;
  const std::uint16_t steward_port_;
  const std::string origin_;
  trust::TrustServiceImpl& trust_;
  trust::PairingServiceImpl& pairing_;
  std::int64_t last_revision_ = 0;  // of the decisions; dean's messages come one at a time
  std::mutex telling_;              // taken first
  bool told_cut_off_ = false;
  std::mutex mutex_;
  Directory directory_;
  trust::Contact contact_;
  std::string boot_;  // as flock gives it
  std::vector<std::string> labels_;
  std::uint64_t woken_revision_ = 0;
  registry::StreamSet<WatchStream> watchers_;
  // These have threads that use the above, and each other in this order.
  confab::TimerThread timer_;
  std::unique_ptr<StewardLink> steward_;
  std::unique_ptr<Subscription<heartbeater::v1::WatchResponse>> heartbeater_;
  std::unique_ptr<registry::GroupLink> flock_;
  std::unique_ptr<Subscription<proctor::v1::WatchDecisionsResponse>> dean_;
};

}  // namespace radix::reeve
