// Runs a flock: one thread that brings datagrams and time to the core, and carries out what it
// asks for.

#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/charter.h"
#include "services/confab/descriptor.h"
#include "services/confab/node.h"
#include "services/confab/time.h"
#include "services/confab/udp_socket.h"
#include "services/flock/event_log_driver.h"
#include "services/flock/flock.h"
#include "services/flock/naming.h"
#include "services/flock/node_story.h"
#include "services/flock/persist_driver.h"

namespace radix::flock {

// One node's story, with names in it.
struct Account {
  NodeStory story;
  std::vector<Happening> events;  // oldest first
};

// A member as listed, with what it says about itself.
struct GroupMember {
  MemberId id;
  std::uint32_t incarnation = 0;
  MemberState state = MemberState::kAlive;
  IpAddress address;
  std::uint64_t fingerprint = 0;  // of its public key
  bool revoked = false;           // which is not believed any more
  Introduction introduction;      // empty until it was learnt
};

// The group as this node sees it at one instant.
struct Group {
  Instant at;  // the instant
  MemberId self;
  std::vector<GroupMember> members;  // in address order
  std::optional<Leadership> sealed;  // the sealed leader, this node included
  std::optional<Leadership> own;     // set while this node is that leader
  std::optional<Leadership> grant;   // this node's own unexpired grant
  std::uint32_t contact_count = 0;
  std::uint32_t quorum = 0;
  std::uint32_t at_most = 0;
  bool turned_away = false;  // at_most others have a vote, and this node has none
};

// Thread-safe, but for Begin and Leave.
class FlockDriver {
 public:
  // Called on the driver's thread; must be quick.
  struct Handlers {
    // The group changed, or this node's lease or grant was renewed.
    std::function<void()> on_change;
    // This node is the sealed leader under that epoch, or nullopt: is not. Called at the start and
    // at every change, however it comes about. False: not passed on, to be called again.
    std::function<bool(std::optional<std::uint64_t>)> on_leadership;
  };

  // Makes the core from `config` and opens its socket at `node`'s address and the charter's port.
  // Says nothing to anybody before Begin. `key_file` is rewritten when the secondary key rotates;
  // not read if config.has_key_file is false.
  //
  // Errors: as Flock::Create and UdpSocket::Open.
  static absl::StatusOr<std::unique_ptr<FlockDriver>> Create(
      const Config& config, const confab::Node& node, const std::filesystem::path& key_file = {});

  // Leaves, if that was not done.
  ~FlockDriver();
  FlockDriver(const FlockDriver&) = delete;
  FlockDriver& operator=(const FlockDriver&) = delete;

  // Starts the thread. Call once.
  void Begin(Handlers handlers);

  // Says good-bye to the flock and ends the thread. The handlers are told of a lost leadership and
  // are not called any more when this returns.
  void Leave();

  // Ends the thread without a word, as a crash would. For tests.
  void Abandon();

  // Has the gossip thread take a turn, then calls `then` on it; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then);

  Group View() const;
  // What happened lately, oldest first: the last `limit` events, or the first `limit` after
  // `sequence`.
  std::vector<Happening> LastEvents(std::size_t limit) const;
  std::vector<Happening> EventsAfter(std::int64_t sequence, std::size_t limit) const;
  // The sequence of the last event.
  std::int64_t last_event() const;
  // What is known of one node, and what happened to it; as TellStory.
  absl::StatusOr<Account> Explain(const std::string& node) const;
  Counters counters() const;
  // Of those sent, the datagrams that the system refused.
  std::uint64_t unsent_count() const;

  // As Flock::OrderKeys. `then` is called once, without any lock: on the driver's thread when there
  // is an answer, or by EndOrders, which the driver's end calls too. False, and `then` is not
  // called: too many are under way.
  bool OrderKeys(const KeyOrder& order, std::function<void(const KeyReport&)> then);
  // Answers all orders under way with KeyResult::kNoLeader, and later ones at once.
  void EndOrders();
  // As Flock::SetRevoked; and remembers it on disk.
  void SetRevoked(std::vector<std::uint64_t> fingerprints);
  // The short id of the transient key in use.
  std::uint32_t transient_key() const;

 private:
  enum class Ending : int { kNone, kLeave, kAbandon };

  // What watchers must hear of at once when it changes.
  struct Standing {
    std::optional<Leadership> own;
    std::optional<Leadership> grant;
    std::optional<MemberId> leader;
  };

  FlockDriver(const Config& config, const confab::Node& node, const std::filesystem::path& key_file,
              Flock core, confab::UdpSocket socket, confab::Descriptor wake);

  void Run();
  void End(Ending ending);
  void Wake() const;
  void Wait(Instant until) const;

  // The following are called with the lock held.
  Instant Step();
  void Receive();
  void Drain();
  void TakeStored();
  void TakeRevoked();
  void Handle(const Event& event);
  void HandleIntroduced(const Event& event);
  void AskForNames(Instant now);
  void Upkeep(Instant now);
  bool StandingChanged(Instant now);
  // Those of the core, and of the socket. Requires: mutex_ is held.
  Counters AllCounters() const;
  Standing CurrentStanding(Instant now) const;

  // Called without it.
  Instant TellLeadership();
  void AnswerOrders();

  const AddressRanges ranges_;
  const std::uint32_t at_most_;
  const confab::Descriptor wake_;  // an eventfd
  Handlers handlers_;
  std::atomic<Ending> ending_ = Ending::kNone;

  mutable std::mutex mutex_;
  Flock core_;
  confab::UdpSocket socket_;
  Naming naming_;
  EventLogDriver log_;
  // What reached the disk and was not yet told to the core.
  std::optional<Promise> stored_;
  std::optional<Promise> not_stored_;                  // what it refused
  std::optional<std::uint32_t> stored_keys_;           // the version of the key file
  std::optional<std::vector<std::uint64_t>> revoked_;  // was not yet told to the core
  std::vector<std::uint64_t> stored_revoked_;          // given to the disk last
  std::map<std::uint64_t, std::function<void(const KeyReport&)>> orders_;  // under way, by name
  bool ended_ = false;
  std::vector<std::function<void()>> after_turn_;
  Standing standing_;
  bool changed_ = true;
  Instant upkeep_at_;
  std::uint64_t unsent_ = 0;
  std::vector<std::uint32_t> peers_;  // as stored last

  bool told_ = false;  // whether on_leadership took anything; only the thread's
  std::optional<std::uint64_t> told_epoch_;
  Instant tell_at_{};

  PersistDriver disk_;  // its thread uses the above
  std::thread thread_;  // last: it uses all others
};

}  // namespace radix::flock
