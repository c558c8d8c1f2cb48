// A node's half at work: follows the proctor, keeps the decisions on disk, conforms the node.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/client_stream.h"
#include "clients/cpp/subscription.h"
#include "radix/heartbeater/v1/heartbeater.pb.h"
#include "radix/picket/v1/picket.pb.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "radix/reeve/v1/reeve.pb.h"
#include "services/confab/backoff.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/proctor/allegiance.h"
#include "services/proctor/durable_acceptor_driver.h"
#include "services/proctor/orders_driver.h"
#include "services/proctor/serving_codec.h"
#include "services/registry/group_driver.h"

namespace radix::proctor {

// What every node runs, whether or not there is a group: pastiche.
std::vector<PluginSpec> NodeBuiltIns();

// Follows one proctor at a time, as Allegiance says, and takes writes and orders from it alone. Cut
// off, it keeps what the node runs, and keeps the node's own built-in list running. Made with
// Create and held by shared_ptr. Thread-safe.
class DeanDriver : public std::enable_shared_from_this<DeanDriver> {
 public:
  struct Options {
    confab::Node node;
    std::vector<PluginSpec> builtins;  // run on this node whatever happens
  };

  static std::shared_ptr<DeanDriver> Create(Options options);
  ~DeanDriver();

  // A channel to the sealed leader's proctor; Unavailable while none is known.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Proctor();

  v1::GetNodeResponse NodeState();

  struct KnownDecisions {
    std::int64_t revision = 0;  // of the document that has them; 0: there is none
    bool follows = false;       // the proctor, so that it hears what is decided
    std::vector<v1::Decision> all;
  };
  // Those of `kinds` that are on disk; nullopt while nobody knows, before it was read. What is
  // revoked is among them as soon as this node has heard it: the files of a document may be long on
  // their way, and a disk may be full.
  std::optional<KnownDecisions> DecisionsOf(const std::set<std::string>& kinds);

  // Calls `changed`, which must be quick, whenever they may have changed. Set once.
  void OnDecisions(std::function<void()> changed);

  // Has dean take a turn, then calls `then` on its thread; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { timer_->AfterTurn(std::move(then)); }

  // Follows nobody any more: for a drain. Call before the last shared_ptr is given up, and not from
  // one of gRPC's threads: it waits for them.
  void Close();

 private:
  using Stream = ClientBidi<v1::FollowRequest, v1::FollowResponse>;

  // One stream to a proctor.
  struct Session {
    std::uint64_t id = 0;
    Allegiance::Followed with;
    std::unique_ptr<v1::ProctorService::Stub> stub;
    std::shared_ptr<Stream> stream;
    std::string reported;  // the last report, serialised
    bool answered = false;
  };

  // A document that came in and is not on disk yet.
  struct PendingWrite {
    Document document;
    bool pulled = false;  // its files are here, or need not be
  };

  explicit DeanDriver(Options options);
  void Start();
  void StartWatches();
  void EndWatches();
  Instant Tick(Instant now);
  Instant TakeTurn(Instant now);
  void TellDecisions();

  void HandleGroup(const registry::Group& group);
  void Follow(Instant now);
  void Open(const Allegiance::Followed& followed, Instant now);
  void Leave();
  void HandleResponse(std::uint64_t session, const v1::FollowResponse& response);
  void HandleEnd(std::uint64_t session, const grpc::Status& status);

  // Whether this node goes by what the group decides now: not while its disk takes no decision.
  bool Follows() const { return session_ && session_->answered && !disk_refuses_; }
  void HearRevocations(const v1::DocumentBody& body);
  void HandleWrite(const v1::FollowResponse& response);
  void HandlePulled(std::uint64_t session, const Document& document, bool rewritten,
                    const absl::Status& status);
  void Accept();
  void SendAck(const Document& document, const std::string& refusal);

  Instant GiveOrders(Instant now);
  void Report();
  v1::PluginsReport MakeReport() const;
  std::vector<picket::v1::Plugin> PluginList() const;

  const Options options_;
  const std::string own_address_;

  std::mutex mutex_;
  bool closed_ = false;
  Random random_;
  Allegiance allegiance_;
  std::optional<std::map<std::string, picket::v1::Plugin>> plugins_;  // unset: picket is unknown
  ServingTable local_;                                                // this node's instances

  DurableAcceptor acceptor_;
  std::function<void()> on_decisions_;
  // Of the document, its epoch and revision; how much was heard since; and Follows().
  using Told = std::tuple<std::int64_t, std::int64_t, std::size_t, bool>;
  std::optional<Told> told_;
  std::map<std::string, v1::Decision> heard_;  // revoked, and on no disk yet; by key
  std::optional<Session> session_;
  std::uint64_t last_session_ = 0;
  Instant follow_again_at_;
  Backoff follow_backoff_{100ms, 2s};
  std::string follow_problem_;  // logged when it changes
  std::optional<PendingWrite> pending_;
  bool disk_refuses_ = false;             // did, the last time
  std::optional<Assignment> assignment_;  // of session_
  std::int64_t assignment_revision_ = 0;
  std::int64_t conformed_revision_ = 0;
  std::optional<Orders> orders_;
  std::string channel_net_id_;
  std::shared_ptr<grpc::Channel> channel_;  // for Proctor()

  // These have threads that use the above, and the timer.
  std::unique_ptr<confab::TimerThread> timer_;
  std::optional<registry::GroupLink> flock_;
  std::optional<Subscription<picket::v1::WatchPluginsResponse>> picket_;
  std::optional<Subscription<heartbeater::v1::WatchResponse>> heartbeater_;
  std::optional<Subscription<reeve::v1::WatchResponse>> reeve_;
};

}  // namespace radix::proctor
