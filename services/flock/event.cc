#include "services/flock/event.h"

namespace radix::flock {

std::string_view KindName(EventKind kind) {
  switch (kind) {
    case EventKind::kJoined:
      return "joined";
    case EventKind::kSuspected:
      return "suspected";
    case EventKind::kRefuted:
      return "refuted";
    case EventKind::kDied:
      return "died";
    case EventKind::kLeft:
      return "left";
    case EventKind::kProvisionalLeader:
      return "provisional-leader";
    case EventKind::kSealedLeader:
      return "sealed-leader";
    case EventKind::kSealedLeaderLost:
      return "sealed-leader-lost";
    case EventKind::kSealed:
      return "sealed";
    case EventKind::kUnsealed:
      return "unsealed";
    case EventKind::kKeyChanged:
      return "key-changed";
    case EventKind::kIntroduced:
      return "introduced";
    case EventKind::kAdmitted:
      return "admitted";
    case EventKind::kAlarm:
      return "alarm";
  }
  return "unknown";
}

std::string Explain(const Event& event) {
  const std::string value = std::to_string(event.value);
  switch (event.evidence) {
    case Evidence::kNone:
      return "";
    case Evidence::kContact:
      return "heard directly";
    case Evidence::kHearsay:
      return "told by another member";
    case Evidence::kProbesUnanswered:
      return "three probes, direct and through others, brought no answer";
    case Evidence::kSuspicionExpired:
      return "suspected and not refuted in time; accused by " + value;
    case Evidence::kReplacedByBoot:
      return "the machine booted again";
    case Evidence::kOwnWord:
      return "said so itself";
    case Evidence::kRank:
      return "ranks first among the live";
    case Evidence::kQuorum:
      return "holds leases from " + value;
    case Evidence::kQuorumLost:
      return "holds fewer leases than the quorum";
    case Evidence::kOutranked:
      return "another leader ranks higher";
    case Evidence::kLeaseExpired:
      return "no renewal in time";
    case Evidence::kGaveBack:
      return "stepped down in good order";
    case Evidence::kCharterDiffers:
      return "its charter differs from ours: neither grants the other a lease; make them equal";
    case Evidence::kTooManyMembers:
      return "is one more than the charter's at_most: of " + value +
             " nodes the newest have no vote; raise at_most everywhere, or stop nodes";
    case Evidence::kTurnedAway:
      return "turned away: " + value +
             " other nodes, the charter's at_most, have a vote; raise at_most everywhere, or stop "
             "one of them";
    case Evidence::kTwoSealed:
      return "two sealed leaders renew beside each other: the charter's at_most or quorum is wrong";
    case Evidence::kSameSlotTwice:
      return "another living machine uses this address";
  }
  return "";
}

}  // namespace radix::flock
