#include "services/flock/event.h"

#include <algorithm>
#include <cstdio>
#include <span>

namespace radix::flock {
namespace {

using NameOf = std::function<std::string(std::uint32_t)>;

std::string Hex(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%08llx", static_cast<unsigned long long>(value));
  return text.data();
}

// `n1`, `n1 and n2`, `n1, n2 and n3`.
std::string List(std::span<const std::uint32_t> slots, const NameOf& name_of) {
  std::string text;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i > 0) text += i + 1 == slots.size() ? " and " : ", ";
    text += name_of(slots[i]);
  }
  return text;
}

std::string AccusedBy(const Witnesses& witnesses, const NameOf& name_of) {
  const auto accusers = std::span(witnesses.accusers).first(witnesses.accuser_count);
  return "accused by " + (accusers.empty() ? "nobody who was named" : List(accusers, name_of));
}

std::string ProbesUnanswered(const Witnesses& witnesses, const NameOf& name_of) {
  const auto relays = std::span(witnesses.relays).first(witnesses.relay_count);
  if (relays.empty()) return "no answer to direct probes; there was nobody to probe it through";
  return "no answer to direct probes, nor through " + List(relays, name_of) +
         " (reports of no answer: " + std::to_string(witnesses.relay_failures) + ")";
}

std::string ExplainSuspicion(const Event& event, const NameOf& name_of) {
  std::string text = event.evidence == Evidence::kProbesUnanswered
                         ? ProbesUnanswered(event.witnesses, name_of) + "; "
                     : event.evidence == Evidence::kSuspicionExpired
                         ? "not refuted in time; "
                         : "told by " + name_of(event.reporter.slot) + "; ";
  return text + AccusedBy(event.witnesses, name_of);
}

std::string ExplainRevoked(const Event& event, const NameOf& name_of) {
  const bool is_self = event.kind == EventKind::kAlarm;
  return std::string(is_self ? "the key of this node" : "its key") + " was revoked" +
         (is_self && event.reporter != event.subject ? ", says " + name_of(event.reporter.slot)
                                                     : "") +
         ": it gets no lease, leads nothing, and is let in by nobody";
}

std::string ExplainLackOfKeys(const Event& event) {
  if (event.evidence == Evidence::kShutOut) {
    return "no node that this one knew lets it in: it is cut off, or they are down; or it was "
           "away for more than one rotation of the secondary key: then copy the key file of a "
           "working node over this node's and restart it";
  }
  return "tells secondary keys that do not know the one in use here: this node slept through "
         "two rotations, then copy the key file of a working node over this node's and restart "
         "it; or the leader lies";
}

}  // namespace

void Witnesses::AddRelay(std::uint32_t slot) {
  const auto known = std::span(relays).first(relay_count);
  if (relay_count < relays.size() && std::ranges::count(known, slot) == 0) {
    relays[relay_count++] = slot;
  }
}

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
    case EventKind::kSecondaryChanged:
      return "secondary-changed";
    case EventKind::kIntroduced:
      return "introduced";
    case EventKind::kAdmitted:
      return "admitted";
    case EventKind::kRevoked:
      return "revoked";
    case EventKind::kStalled:
      return "stalled";
    case EventKind::kAlarm:
      return "alarm";
  }
  return "unknown";
}

std::string_view EvidenceName(Evidence evidence) {
  switch (evidence) {
    case Evidence::kNone:
      return "";
    case Evidence::kContact:
      return "contact";
    case Evidence::kHearsay:
      return "hearsay";
    case Evidence::kProbesUnanswered:
      return "probes-unanswered";
    case Evidence::kSuspicionExpired:
      return "suspicion-expired";
    case Evidence::kStillHeard:
      return "still-heard";
    case Evidence::kReplacedByBoot:
      return "replaced-by-boot";
    case Evidence::kOwnWord:
      return "own-word";
    case Evidence::kRank:
      return "rank";
    case Evidence::kQuorum:
      return "quorum";
    case Evidence::kQuorumLost:
      return "quorum-lost";
    case Evidence::kLeaseExpired:
      return "lease-expired";
    case Evidence::kGaveBack:
      return "gave-back";
    case Evidence::kCharterDiffers:
      return "charter-differs";
    case Evidence::kTooManyMembers:
      return "too-many-members";
    case Evidence::kTurnedAway:
      return "turned-away";
    case Evidence::kTwoSealed:
      return "two-sealed";
    case Evidence::kSameName:
      return "same-name";
    case Evidence::kRevoked:
      return "revoked";
    case Evidence::kTimerLate:
      return "timer-late";
    case Evidence::kKeyInstalled:
      return "key-installed";
    case Evidence::kKeyUsed:
      return "key-used";
    case Evidence::kKeyRemoved:
      return "key-removed";
    case Evidence::kShutOut:
      return "shut-out";
    case Evidence::kForeignKeys:
      return "foreign-keys";
    case Evidence::kSigned:
      return "signed";
    case Evidence::kNotConfirmed:
      return "not-confirmed";
  }
  return "unknown";
}

std::string Explain(const Event& event, const NameOf& name_of) {
  const std::string value = std::to_string(event.value);
  switch (event.evidence) {
    case Evidence::kNone:
      return event.kind == EventKind::kKeyChanged ? "minted transient key " + Hex(event.value) : "";
    case Evidence::kContact:
      return "heard directly";
    case Evidence::kHearsay:
      if (event.kind != EventKind::kSuspected) return "told by " + name_of(event.reporter.slot);
      return ExplainSuspicion(event, name_of);
    case Evidence::kProbesUnanswered:
    case Evidence::kSuspicionExpired:
    case Evidence::kSigned:
      return ExplainSuspicion(event, name_of);
    case Evidence::kNotConfirmed:
      return "accused by hearsay, and too few found so themselves";
    case Evidence::kStillHeard:
      return "not refuted in time, but this node and it hear each other";
    case Evidence::kReplacedByBoot:
      return "the machine booted again; " + (event.reporter == event.subject
                                                 ? std::string("heard directly")
                                                 : "told by " + name_of(event.reporter.slot));
    case Evidence::kOwnWord:
      return "said so itself";
    case Evidence::kRank:
      return "ranks first among the live";
    case Evidence::kQuorum:
      return "holds leases from " + value;
    case Evidence::kQuorumLost:
      return "holds fewer leases than the quorum";
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
      return "two sealed leaders renew beside each other: the charter's at_most or quorum is "
             "wrong, or it lies";
    case Evidence::kSameName:
      return "another live node, " + name_of(event.reporter.slot) +
             ", had this name first: nothing is placed on this one; start one of them with "
             "another --name";
    case Evidence::kRevoked:
      return ExplainRevoked(event, name_of);
    case Evidence::kTimerLate:
      return "what was due here was done " + value +
             " ms late: flock was stopped, or had no processor; others may have suspected this "
             "node";
    case Evidence::kKeyInstalled:
      return "the next secondary key opens the door here, and is not used yet; in use is " +
             Hex(event.value);
    case Evidence::kKeyUsed:
      return "secondary key " + Hex(event.value) + " is in use now; the one before still opens";
    case Evidence::kKeyRemoved:
      return "the secondary key before the previous one was removed; in use is " + Hex(event.value);
    case Evidence::kShutOut:
    case Evidence::kForeignKeys:
      return ExplainLackOfKeys(event);
  }
  return "";
}

}  // namespace radix::flock
