// The endpoints of this node, and which keys each of them lets in.

#pragma once

#include <algorithm>
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
#include "services/trust/call_policy.h"
#include "services/trust/guarded_endpoint.h"
#include "services/trust/node_keys.h"
#include "services/trust/pair.h"
#include "services/trust/revoked.h"
#include "services/trust/rules.h"

namespace radix::trust {

// Decides who may call the endpoints of this node: a key that another node's reeve (or this one)
// announced, whose caller the rules let call what is served there and whose node is of the caller's
// horde, and which is not revoked. It is
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
  static constexpr std::size_t kSurplusMax = 1024;   // that are told so, of those that are more
  static constexpr std::size_t kUpdateMax = 1024;    // callers in one update
  static constexpr Duration kGuardsKnownAfter = 8s;  // every endpoint has told of itself by then
  static constexpr Duration kAllKnownAfter = 20s;    // and every other node of its pairs
  static constexpr Duration kOriginGrace = 60s;      // of a node without a link
  // Of a node that flock does not list: it may have been wrong, or have begun again.
  static constexpr Duration kUnlistedGrace = 10s;
  static constexpr std::size_t kAdmissionsMax = 256;  // told at once

  // What the process of an endpoint is to be told.
  struct Update {
    std::uint64_t number = 0;
    std::vector<Caller> callers;
    std::vector<KeyId> gone;       // not used any more
    std::vector<KeyId> forbidden;  // by the rules, or revoked
    bool complete = false;         // who was not named on this stream is gone
  };

  // `began` is when this reeve did; `own` is the fingerprint of this node's key.
  EndpointTable(Instant began, Origin own) : began_(began), policy_(own) {}

  // A process serves that, and says so on stream `id`; or it shows other keys now. Returns the
  // stream that this one takes the place of, if any, which is then forgotten.
  //
  // Errors: PermissionDenied, naming the rule; ResourceExhausted; InvalidArgument, when the stream
  // has told of another endpoint; AlreadyExists, when another service serves there, or another api:
  // nobody takes the place of those but by their end.
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
  // What that node says of its callers: these are to be let in, those are not any more. What is
  // more than kPairsMax is refused.
  void HandlePairs(Origin origin, const std::vector<Pair>& pairs, const std::vector<KeyId>& gone);
  // That node has none but these.
  void Retain(Origin origin, const std::set<KeyId>& keys);
  // Some of what has become known for that node since it was last asked for; empty for nothing.
  std::vector<Admission> AdmissionsFor(Origin origin);

  // Who lives, as flock lists them.
  void SetLiving(const std::vector<NodeKey>& living, Instant now);
  // Returns the streams of those that may not serve any more; they are then forgotten.
  std::vector<GuardId> SetRules(std::shared_ptr<const Rules> rules);
  // Likewise.
  std::vector<GuardId> SetHordes(registry::Hordes hordes);
  void SetRevoked(const Revoked& revoked);
  void SetCutOff(bool cut_off);

  // As CallPolicy has it.
  absl::Status MayBeOf(const Party& who) const { return policy_.MayBeOf(who); }

  // To be called at NextTimeout. Returns nodes whose pairs were forgotten: their links are to end,
  // so that they tell again should they live.
  std::vector<Origin> HandleTimeout(Instant now);
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
    std::optional<absl::Status> verdict;  // nullopt: nobody knows yet; OK: it is to be let in
    std::uint64_t sent_in = 0;            // the update of its endpoint that named it; 0: none
    bool admitted = false;                // its endpoint has taken that

    bool allowed() const { return verdict && verdict->ok(); }
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
    std::set<KeyId> dirty;           // keys about which that node is to be told
    std::vector<Admission> surplus;  // likewise; of these there are no rows
    Instant unlinked_until = Instant::max();
    Instant unlisted_until = Instant::max();

    Instant forgotten_at() const { return std::min(unlinked_until, unlisted_until); }
  };

  void Forget(Origin origin);
  bool IsAllKnown() const;
  bool HasNewsFor(const Guard& guard) const;
  Guard* GuardAt(const Endpoint& endpoint);
  Row* Find(const KeyId& key);
  const std::set<KeyId>& KeysAt(const Endpoint& endpoint) const;
  std::optional<absl::Status> Judge(Origin origin, const Pair& pair) const;
  std::vector<GuardId> RejudgeServing();
  void Rejudge(const KeyId& key);
  void RejudgeAt(const Endpoint& endpoint);
  void RejudgeAll();
  void Unsend(const Endpoint& endpoint);
  void Put(Origin origin, const Pair& pair);
  void Erase(Origin origin, const KeyId& key);

  const Instant began_;
  bool guards_known_ = false;
  bool all_known_ = false;
  CallPolicy policy_;
  std::map<GuardId, Guard> guards_;
  std::map<Endpoint, GuardId> by_endpoint_;
  std::map<Endpoint, absl::Status> refused_;  // that may not serve what they would
  std::map<Origin, Node> nodes_;
  std::map<KeyId, Origin> owners_;               // a key is that of who announced it first
  std::map<Endpoint, std::set<KeyId>> callers_;  // those keys, by where they call
};

}  // namespace radix::trust
