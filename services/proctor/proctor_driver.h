// The leader at work: learns and keeps the group's decisions, places services, tells the deans.

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
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/confab/charter.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/proctor/changes_driver.h"
#include "services/proctor/decisions.h"
#include "services/proctor/doneness.h"
#include "services/proctor/placement_driver.h"
#include "services/proctor/proctor_codec.h"
#include "services/proctor/roster.h"
#include "services/registry/group_driver.h"
#include "services/registry/leader_lease.h"

namespace radix::proctor {

// Acts only while this node is the sealed leader under its epoch, as its flock says, and only on
// what a quorum of nodes has on disk. Made with Create and held by shared_ptr. Thread-safe;
// callbacks are called without a lock held.
class ProctorDriver {
 public:
  struct Options {
    confab::Node node;
    Charter charter;                // its ranges say whose addresses count as slots
    std::int64_t epoch = 0;         // > 0
    std::function<void()> on_over;  // the epoch is over: end the process; called once
    Duration settle = 3s;           // how long the first placement waits for all nodes that live
  };

  // One dean's stream, as the driver uses it; both may be called from any thread.
  struct Link {
    std::function<bool(const v1::FollowResponse&)> send;  // false when its reader is too slow
    std::function<void(const grpc::Status&)> end;
  };
  using LinkId = std::uint64_t;

  static std::shared_ptr<ProctorDriver> Create(Options options);

  // A dean introduced itself. FailedPrecondition when its epoch is not this one, or this one is
  // over; InvalidArgument when its address is no slot of the bloc; as registry::CheckIsAt, when its
  // node is not the one there.
  absl::StatusOr<LinkId> Connect(const Hello& hello, Link link);
  void HandlePlugins(LinkId id, const v1::PluginsReport& report);
  void HandleAck(LinkId id, const v1::DocumentAck& ack);
  void Disconnect(LinkId id);

  // FailedPrecondition unless changes can be made and shown now; the message says what is awaited.
  absl::Status CheckLeading();

  // Makes a change; `done` gets the revision that a quorum has, or why there is none.
  void Make(Change change);

  absl::StatusOr<v1::GetStatusResponse> Status(const std::string& horde);
  absl::StatusOr<v1::ListDecisionsResponse> List(const std::string& kind);

  std::int64_t epoch() const { return options_.epoch; }
  const Charter& charter() const { return options_.charter; }

  // Has the proctor take a turn, then calls `then` on its thread; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { timer_->AfterTurn(std::move(then)); }

  // Refuses everything from now on, ends all streams and fails all changes: for a drain. Call
  // before the last shared_ptr is given up, and not from one of gRPC's threads: it waits for them.
  void Close();

 private:
  struct Session {
    std::string address;
    Link link;
    std::optional<Assignment> sent;
    std::string refusal;  // why it did not keep the last document; empty: it did
  };
  using Calls = Changes::Calls;

  explicit ProctorDriver(Options options);
  void Start();
  Instant Tick(Instant now);
  void HandleGroup(const registry::Group& group);
  void Begin(std::size_t quorum);
  void CheckLease(Instant now, Calls& calls);
  absl::Status Leading(Instant now) const;
  void Advance(Instant now, Calls& calls);
  void Plan(Instant now);
  std::vector<UnmetItem> Absent() const;
  std::vector<UnmetItem> Refusing() const;
  std::string WhoRefuses() const;
  std::vector<UnmetItem> OfTheGroup() const;
  void Over(const std::string& why, Calls& calls);

  const Options options_;
  const std::string own_address_;

  std::mutex mutex_;
  bool over_ = false;
  registry::LeaderLease lease_;
  std::set<std::string> alive_;         // addresses
  std::optional<Decisions> decisions_;  // once flock confirmed the epoch: it knows the quorum
  Roster roster_;
  Placement placement_;
  v1::DocumentBody body_;              // of the decided document
  std::int64_t loaded_revision_ = -1;  // of body_; -1 before the first
  std::vector<PlacedService> placed_;
  std::map<LinkId, Session> sessions_;
  LinkId next_link_ = 1;
  std::int64_t assignment_revision_ = 0;
  bool plan_due_ = true;
  Changes changes_;

  // These have threads that use the above, and the timer.
  std::unique_ptr<confab::TimerThread> timer_;
  std::optional<registry::GroupLink> flock_;
};

}  // namespace radix::proctor
