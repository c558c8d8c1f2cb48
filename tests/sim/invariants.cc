#include "tests/sim/invariants.h"

#include <algorithm>

namespace radix::sim {
namespace {

constexpr std::size_t kReportsMax = 20;

}  // namespace

void Invariants::Report(Instant now, const std::string& what) {
  if (violations_.size() >= kReportsMax) return;
  violations_.push_back("at " + std::to_string(now.time_since_epoch() / Duration(1ms)) +
                        " ms: " + what);
}

void Invariants::CheckLeadership(std::size_t node, Instant now, std::uint64_t epoch,
                                 Instant until) {
  std::erase_if(leading_, [&](std::size_t n) { return n != node && leads_[n].until <= now; });
  if (std::ranges::count(leading_, node) == 0) leading_.push_back(node);
  Lead& lead = leads_[node];
  if (lead.epoch != epoch) {
    ++sealings_;
    if (disks_intact_ && epoch <= greatest_epoch_) {
      Report(now, "node " + std::to_string(node) + " is sealed under epoch " +
                      std::to_string(epoch) + ", not above " + std::to_string(greatest_epoch_));
    }
    greatest_epoch_ = std::max(greatest_epoch_, epoch);
  }
  lead = {epoch, until};
  for (const std::size_t other : leading_) {
    if (other == node) continue;
    Report(now, "two sealed leaders: node " + std::to_string(node) + " under epoch " +
                    std::to_string(epoch) + " and node " + std::to_string(other) + " under epoch " +
                    std::to_string(leads_[other].epoch));
  }
}

void Invariants::CheckNoLeadership(std::size_t node, Instant now) {
  if (leading_.empty() || std::ranges::count(leading_, node) == 0) return;
  // It may have stepped down early; what it handed out before ends with that too.
  leads_[node].until = now;
  std::erase(leading_, node);
}

void Invariants::Orphan(std::size_t node) {
  // What acts on a leadership may outlive flock, so it goes on being checked, under a new name.
  const auto at = std::ranges::find(leading_, node);
  if (at == leading_.end()) return;
  *at = leads_.size();
  const Lead lead = leads_[node];
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

void Invariants::CheckMembers(const std::vector<flock::MemberView>& members,
                              const std::set<flock::MemberId>& ever, Instant now) {
  for (const flock::MemberView& member : members) {
    if (!ever.contains(member.id)) {
      Report(now, "a member is listed that never was: slot " + std::to_string(member.id.slot));
    }
  }
}

}  // namespace radix::sim
