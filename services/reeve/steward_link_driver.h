// This node's one stream to the steward.

#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "clients/cpp/client_stream.h"
#include "radix/steward/v1/steward.grpc.pb.h"
#include "services/confab/backoff.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/registry/instance_table.h"

namespace radix::reeve {

// Keeps a stream to the steward of the present epoch: a hello, then the node's changes, and a
// digest every 5 s. Whatever goes wrong, it dials anew, with back-off and jitter: when the stream
// breaks, when nothing came for 15 s, when there is a new epoch, or another boot of this node's
// flock. Thread-safe.
class StewardLink {
 public:
  // Where the steward of an epoch is.
  struct Target {
    std::string net_id;
    std::uint64_t epoch = 0;
    std::string boot;  // of this node; another one asks for a hello anew

    bool operator==(const Target&) const = default;
  };

  // Called on this object's thread and on gRPC's, one at a time. They must not block, nor call this
  // object, except Wake.
  struct Handlers {
    // The first message to the steward of that epoch; its table is the node's whole.
    std::function<steward::v1::Hello(std::uint64_t epoch)> hello;
    // What has changed of the node's table since that revision; the whole for nullopt.
    std::function<registry::Delta(std::optional<std::uint64_t> revision)> changes;
    // What the steward says. Not OK: connect anew.
    std::function<absl::Status(const steward::v1::SyncResponse&)> on_message;
    // The stream that had messages has ended.
    std::function<void()> on_lost;
  };

  // `node` is this one.
  StewardLink(const confab::Node& node, Handlers handlers);
  ~StewardLink();
  StewardLink(const StewardLink&) = delete;
  StewardLink& operator=(const StewardLink&) = delete;

  // Where the steward is now; nullopt: nobody knows. A stream that is open is then left as it is,
  // since it ends by itself with its steward.
  void SetTarget(std::optional<Target> target);
  // This node is one more than the charter allows: no steward takes it, until the next SetTarget.
  void TurnAway();

  // The node's table has changed.
  void Wake();

  // Takes a turn, then calls `then` on the same thread, which must be quick.
  void AfterTurn(std::function<void()> then) { timer_.AfterTurn(std::move(then)); }

  // A connection to the present steward, for other calls; nullptr without one.
  std::shared_ptr<grpc::Channel> channel();

 private:
  using Stream = ClientBidi<steward::v1::SyncRequest, steward::v1::SyncResponse>;
  // One attempt and what came of it; shared with its handlers.
  struct Attempt;

  Instant Tick(Instant now);
  void Connect(Instant now);
  void Abandon();
  void WarnOnce(const std::string& reason);
  void SendChanges(Attempt& attempt, Instant now);
  void HandleMessage(const std::shared_ptr<Attempt>& attempt,
                     const steward::v1::SyncResponse& message);
  void HandleEnd(const std::shared_ptr<Attempt>& attempt, const grpc::Status& status);

  const confab::Node node_;
  const Handlers handlers_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::optional<Target> target_;
  bool turned_away_ = false;
  bool warned_ = false;               // that no steward takes this node; until one does
  std::shared_ptr<Attempt> attempt_;  // until its stream has ended
  std::size_t open_ = 0;              // attempts whose stream has not ended
  Instant next_try_at_;
  Random random_;
  Backoff backoff_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::reeve
