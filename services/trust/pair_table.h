// The keys with which the processes of this node call.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/confab/key_id.h"
#include "services/confab/time.h"
#include "services/trust/pair.h"

namespace radix::trust {

// Keeps what the callers of this node want to be let in by, for as long as their streams last; says
// it to the nodes on which the endpoints are, each of which has one link; and hands their answers
// back.
//
// Nothing here is on a disk: after a restart the callers tell again. Until then no node is told
// that others are gone. Not thread-safe.
class PairTable {
 public:
  using CallerId = std::uint64_t;  // a stream of a caller

  static constexpr std::size_t kPairsMax = 4096;  // of one stream
  static constexpr std::size_t kAnnouncementMax = 1024;
  static constexpr std::size_t kAdmissionsMax = 256;   // told at once
  static constexpr Duration kCallersKnownAfter = 10s;  // every caller has told of itself by then

  // What a node is to be told.
  struct Announcement {
    std::vector<Pair> pairs;
    std::vector<KeyId> gone;
    bool complete = false;  // what was not named on this link is gone
  };

  explicit PairTable(Instant began) : began_(began) {}

  // A caller wants that key to be let in. What is more than kPairsMax, or has another purpose
  // already, is refused like any other.
  void HandlePair(CallerId caller, const Pair& pair);
  // It will not be used any more.
  void HandleGone(CallerId caller, const KeyId& key);
  void HandleCallerEnd(CallerId caller);
  // Some of the answers that have come for that caller since it was last asked for; empty for none.
  std::vector<Admission> AdmissionsFor(CallerId caller);

  // What that node lacks; nullopt for nothing.
  std::optional<Announcement> AnnouncementFor(const IpAddress& node);
  // There is a new link to it, over which it is to be told all again.
  void HandleLink(const IpAddress& node);
  // It has ended. Unless it did so in good order what was said last may have been lost.
  void HandleLinkEnd(const IpAddress& node, bool orderly);
  void HandleAdmission(const IpAddress& node, const Admission& admission);

  // Those that live: to others there are no links.
  void SetLiving(const std::set<IpAddress>& living);
  // The nodes at these addresses were revoked, and these keys: nobody is to call there any more,
  // whatever those nodes say.
  void SetRevoked(std::set<IpAddress> nodes, std::set<KeyId> keys);
  // Nodes to which there should be a link: they have pairs, or may not know that these are gone.
  std::vector<IpAddress> Nodes() const;
  std::vector<CallerId> CallersToTell() const;

  // To be called at NextTimeout.
  void HandleTimeout(Instant now);
  Instant NextTimeout() const {
    return callers_known_ ? Instant::max() : began_ + kCallersKnownAfter;
  }

  // For people: each key, and what its endpoint's node says; nullopt for nothing yet.
  struct Listed {
    Pair pair;
    std::optional<Admission> admission;
  };
  std::vector<Listed> List() const;

 private:
  struct Row {
    Pair pair;
    CallerId caller = 0;
    std::optional<Admission> admission;
    bool revoked = false;  // is what was answered last
  };
  struct Node {
    std::set<KeyId> keys;
    std::set<KeyId> dirty;  // about which it is to be told
    bool told_all = false;
    bool linked = false;  // now
    bool met = false;     // was linked at some time, so it may know some
  };

  void Judge(const KeyId& key, Row& row);
  void Erase(const KeyId& key);
  void Refuse(CallerId caller, const KeyId& key, const absl::Status& why);

  const Instant began_;
  bool callers_known_ = false;
  std::map<KeyId, Row> rows_;
  std::map<IpAddress, Node> nodes_;
  std::set<IpAddress> revoked_nodes_;
  std::set<KeyId> revoked_keys_;
  std::optional<std::set<IpAddress>> living_;  // nullopt until flock has said
  std::map<CallerId, std::set<KeyId>> callers_;
  std::map<CallerId, std::set<KeyId>> answered_;
  std::map<CallerId, std::vector<Admission>> refused_;  // of these there are no rows
};

}  // namespace radix::trust
