// The endpoints of this node, and which keys each of them lets in.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/confab/key_id.h"
#include "services/confab/time.h"
#include "services/trust/node_keys.h"
#include "services/trust/pair.h"
#include "services/trust/revoked.h"
#include "services/trust/rules.h"

namespace radix::trust {

// What a process of this node serves, where, and which keys it shows there.
struct GuardedEndpoint {
  Endpoint endpoint;
  Party api;
  std::string inst;
  std::string service;  // who serves it, in the same horde
  std::vector<KeyId> keys;
  std::vector<std::string> certificates;  // in which it shows them, in PEM

  bool operator==(const GuardedEndpoint&) const = default;
};

// Decides who may call the endpoints of this node: a key that another node's reeve (or this one)
// announced, whose caller the rules let call what is served there, and which is not revoked. It is
// let in as soon as the endpoint's process has taken it; then the one who announced it is told.
//
// Nothing here is on a disk. After a restart everybody tells again what they know; until then, and
// until the rules are known, nobody new is let in, and nobody is told that others are gone.
//
// Not thread-safe.
class EndpointTable {
 public:
  using GuardId = std::uint64_t;  // a stream of an endpoint's process
  using Origin = std::uint64_t;   // the node of a caller, by the fingerprint of its key

  static constexpr std::size_t kGuardsMax = 1024;
  static constexpr std::size_t kPairsMax = 65536;    // of one origin
  static constexpr std::size_t kUpdateMax = 1024;    // callers in one update
  static constexpr Duration kGuardsKnownAfter = 3s;  // every endpoint has told of itself by then
  static constexpr Duration kAllKnownAfter = 10s;    // and every other node of its pairs
  static constexpr Duration kOriginGrace = 60s;

  // What the process of an endpoint is to be told.
  struct Update {
    std::uint64_t number = 0;
    std::vector<Caller> callers;
    std::vector<KeyId> gone;       // not used any more
    std::vector<KeyId> forbidden;  // by the rules, or revoked
    bool complete = false;         // who was not named on this stream is gone
  };

  // `began` is when this reeve did.
  explicit EndpointTable(Instant began) : began_(began) {}

  // A process serves that, and says so on stream `id`; or it shows other keys now. Returns the
  // stream that this one takes the place of, if any, which is then forgotten.
  //
  // Errors: PermissionDenied, naming the rule; ResourceExhausted; InvalidArgument, when the stream
  // has told of another endpoint.
  absl::StatusOr<std::optional<GuardId>> HandleEndpoint(GuardId id, const GuardedEndpoint& served);
  // The process has taken all updates up to that number.
  void HandleTaken(GuardId id, std::uint64_t number);
  void HandleGuardEnd(GuardId id);
  // What that process lacks; nullopt for nothing.
  std::optional<Update> UpdateFor(GuardId id);

  // There is a new link from that node; it has heard nothing so far.
  void HandleOrigin(Origin origin);
  // That link has ended. Its pairs stand, for kOriginGrace if there is no other: a reeve that was
  // started again need not know of them.
  void HandleOriginEnd(Origin origin, Instant now);
  // What that node says of its callers: these are to be let in, those are not any more; with
  // `complete` there are no others. ResourceExhausted, when it has too many; then nothing changed.
  absl::Status HandlePairs(Origin origin, const std::vector<Pair>& pairs,
                           const std::vector<KeyId>& gone);
  // That node has none but these.
  void Retain(Origin origin, const std::set<KeyId>& keys);
  // What has become known for that node since it was last asked for.
  std::vector<Admission> AdmissionsFor(Origin origin);

  // Who lives. Returns those that had pairs and are gone, with their pairs.
  std::vector<Origin> SetLiving(const std::vector<NodeKey>& living);
  // Returns the streams of those that may not serve any more; they are then forgotten.
  std::vector<GuardId> SetRules(std::shared_ptr<const Rules> rules);
  void SetRevoked(const Revoked& revoked);

  // To be called at NextTimeout.
  void HandleTimeout(Instant now);
  Instant NextTimeout() const;

  // Who has something to be told.
  std::vector<GuardId> GuardsToTell() const;
  std::vector<Origin> OriginsToTell() const;

  // For people: every key that is let in, by endpoint.
  struct Listed {
    GuardedEndpoint at;
    Caller caller;
  };
  std::vector<Listed> List() const;
  std::vector<GuardedEndpoint> Endpoints() const;

 private:
  struct Row {
    Pair pair;
    std::optional<absl::Status> forbidden;  // set: it is not let in, and why
    std::uint64_t sent_in = 0;              // the update of its endpoint that named it; 0: none
    bool admitted = false;                  // its endpoint has taken that
  };
  struct Guard {
    GuardedEndpoint served;
    std::uint64_t last_number = 0;
    bool told_all = false;  // has had an update that was complete
    std::set<KeyId> dirty;  // keys about which its process is to be told
    std::map<std::uint64_t, std::vector<KeyId>> untaken;  // by the update that named them
  };
  struct Node {
    std::map<KeyId, Row> rows;
    std::set<KeyId> dirty;                  // keys about which that node is to be told
    Instant forgotten_at = Instant::max();  // while it has no link
  };

  void Forget(Origin origin);
  bool IsAllKnown() const;
  bool HasNewsFor(const Guard& guard) const;
  Guard* GuardAt(const Endpoint& endpoint);
  Row* Find(const KeyId& key);
  absl::Status MayServe(const GuardedEndpoint& served) const;
  absl::Status Judge(Origin origin, const Pair& pair, const Guard* guard) const;
  void Rejudge(Origin origin, Node& node, Row& row);
  void RejudgeAll();
  void Put(Origin origin, const Pair& pair);
  void Erase(Origin origin, const KeyId& key);

  const Instant began_;
  bool guards_known_ = false;
  bool all_known_ = false;
  std::shared_ptr<const Rules> rules_;  // nullptr until they are known
  Revoked revoked_;
  std::optional<std::set<Origin>> living_;  // nullopt until flock has said
  std::map<GuardId, Guard> guards_;
  std::map<Endpoint, GuardId> by_endpoint_;
  std::map<Origin, Node> nodes_;
  std::map<KeyId, Origin> owners_;  // a key is that of who announced it first
};

}  // namespace radix::trust
