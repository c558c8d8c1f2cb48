#include "tests/sim/invariants.h"

#include <algorithm>

#include "services/flock/packet_codec.h"

namespace radix::sim {
namespace {

constexpr std::size_t kTextsMax = 20;

}  // namespace

void Invariants::Report(Instant now, const std::string& what) {
  ++violation_count_;
  if (violations_.size() >= kTextsMax) return;
  violations_.push_back("at " + std::to_string(now.time_since_epoch() / Duration(1ms)) +
                        " ms: " + what);
}

Invariants::Invariants(std::size_t nodes, std::size_t slots)
    : leads_(nodes),
      led_(nodes),
      may_lead_until_(nodes, Instant::max()),
      grants_(nodes),
      boots_(slots),
      stood_still_(nodes) {
  if (nodes <= kCountersWatchedMax) counters_.resize(nodes);
}

void Invariants::Booted(std::size_t node, const flock::MemberId& id) {
  std::uint64_t& boot = boots_[id.slot];
  if (boot != 0) earlier_boots_.insert({id.slot, boot});
  boot = id.boot;
  if (!counters_.empty()) counters_[node].assign(boots_.size(), 0);
}

bool Invariants::EverBooted(const flock::MemberId& id) const {
  return id.slot < boots_.size() && (boots_[id.slot] == id.boot || earlier_boots_.contains(id));
}

void Invariants::CheckEvent(std::size_t node, Instant now, const flock::Event& event) {
  if (event.kind == flock::EventKind::kJoined && !lists_may_lie_ && !EverBooted(event.subject)) {
    Report(now, "node " + std::to_string(node) + " lists a member that never was: slot " +
                    std::to_string(event.subject.slot));
  }
  if (event.kind == flock::EventKind::kSealedLeader &&
      !sealed_.contains({event.subject, event.epoch})) {
    Report(now, "node " + std::to_string(node) + " takes slot " +
                    std::to_string(event.subject.slot) + " for sealed under epoch " +
                    std::to_string(event.epoch) + ", which it never was");
  }
  if (event.kind == flock::EventKind::kStalled) {
    if (!stood_still_[node]) {
      Report(now, "node " + std::to_string(node) + " says that it stood still for " +
                      std::to_string(event.value) + " ms, and did not");
    }
    stood_still_[node] = false;
  }
}

void Invariants::CheckSent(std::size_t node, Instant now, std::uint32_t to_slot,
                           std::span<const std::uint8_t> datagram) {
  const auto header = flock::DecodeHeader(datagram);
  if (!header) {
    Report(now, "node " + std::to_string(node) + " sends " + std::to_string(datagram.size()) +
                    " bytes that are no datagram");
    return;
  }
  // A HELLO has a random number there, and a RETRY its token.
  if (counters_.empty() || header->type < flock::PacketType::kTokenHello) return;
  std::uint64_t& last = counters_[node][to_slot];
  if (header->counter <= last) {
    Report(now, "node " + std::to_string(node) + " uses counter " +
                    std::to_string(header->counter) + " again towards slot " +
                    std::to_string(to_slot));
  }
  last = header->counter;
}

void Invariants::CheckLeadership(std::size_t node, Instant now, const flock::Leadership& leads,
                                 Instant until) {
  const std::uint64_t epoch = leads.epoch;
  std::erase_if(leading_, [&](std::size_t n) { return n != node && leads_[n].until <= now; });
  if (std::ranges::count(leading_, node) == 0) leading_.push_back(node);
  Lead& lead = leads_[node];
  if (lead.epoch != epoch || lead.leader != leads.leader) {
    ++sealings_;
    led_[node] = true;
    sealed_.insert({leads.leader, epoch});
    if (disks_intact_ && epoch <= greatest_epoch_) {
      Report(now, "node " + std::to_string(node) + " is sealed under epoch " +
                      std::to_string(epoch) + ", not above " + std::to_string(greatest_epoch_));
    }
    greatest_epoch_ = std::max(greatest_epoch_, epoch);
  }
  if (now >= may_lead_until_[node]) {
    Report(now, "a revoked node is sealed: node " + std::to_string(node) + " under epoch " +
                    std::to_string(epoch));
  }
  // Told once, an end stands, also when fewer leases are counted later.
  const bool renewed = lead.leader == leads.leader && lead.epoch == epoch;
  lead = {leads.leader, epoch, renewed ? std::max(lead.until, until) : until};
  for (const std::size_t other : leading_) {
    if (other == node || leads_[other].leader == leads.leader) continue;
    Report(now, "two sealed leaders: node " + std::to_string(node) + " under epoch " +
                    std::to_string(epoch) + " and node " + std::to_string(other) + " under epoch " +
                    std::to_string(leads_[other].epoch));
  }
}

void Invariants::MayNotLead(std::size_t node, Instant from) {
  may_lead_until_[node] = std::min(may_lead_until_[node], from);
}

void Invariants::CheckNoLeadership(std::size_t node, Instant now) {
  if (leading_.empty() || std::ranges::count(leading_, node) == 0) return;
  // It may have stepped down early; who acts on it goes on until the end that it was told last.
  if (leads_[node].until > now) {
    Orphan(node);
  } else {
    std::erase(leading_, node);
  }
}

void Invariants::Orphan(std::size_t node) {
  // What acts on a leadership may outlive flock, so it goes on being checked, under a new name.
  const auto at = std::ranges::find(leading_, node);
  if (at == leading_.end()) return;
  *at = leads_.size();
  const Lead lead = leads_[node];
  leads_[node].until = Instant{};
  leads_.push_back(lead);
}

void Invariants::CheckPromise(std::size_t node, Instant now, const flock::Promise& promise) {
  flock::Promise& last = grants_[node];
  if (promise == last) return;
  if (promise.epoch < last.epoch ||
      (promise.epoch == last.epoch && promise.holder != last.holder)) {
    Report(now, "node " + std::to_string(node) + " granted epoch " + std::to_string(promise.epoch) +
                    " after epoch " + std::to_string(last.epoch));
  }
  last = promise;
}

void Invariants::CheckAccepted(std::uint64_t id, std::uint64_t boot, Instant now) {
  if (!accepted_.insert({id, boot}).second) {
    Report(now, "datagram " + std::to_string(id) + " was accepted twice");
  }
}

}  // namespace radix::sim
