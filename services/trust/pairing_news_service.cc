// What reeve tells the service of applications' keys: who lives, what the rules are, what is
// revoked.

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "services/confab/clock.h"
#include "services/trust/pairing_service.h"

namespace radix::trust {

void PairingServiceImpl::SetNodes(std::vector<NodeKey> living, const std::vector<NodeKey>& dead) {
  living.push_back({node_.address, own_});  // whatever flock says when it begins again
  {
    const std::lock_guard lock(mutex_);
    std::set<IpAddress> addresses;
    for (const NodeKey& each : living) addresses.insert(each.address);
    for (const auto* nodes : {&dead, &std::as_const(living)}) {
      for (const NodeKey& each : *nodes) {
        if (each.fingerprint) fingerprints_[each.address] = *each.fingerprint;
      }
    }
    pairs_.SetLiving(addresses);
    JudgePairs();
    endpoints_.SetLiving(living, confab::Now());
  }
  timer_.Wake();
}

void PairingServiceImpl::SetRules(std::shared_ptr<const Rules> rules) {
  EndRefused([&] { return endpoints_.SetRules(std::move(rules)); });
}

void PairingServiceImpl::SetHordes(registry::Hordes hordes) {
  EndRefused([&] { return endpoints_.SetHordes(std::move(hordes)); });
}

// `refuse`, called under the lock, says whose streams are to end.
void PairingServiceImpl::EndRefused(const std::function<std::vector<StreamId>()>& refuse) {
  std::vector<std::shared_ptr<GuardStream>> refused;
  {
    const std::lock_guard lock(mutex_);
    for (const StreamId id : refuse()) {
      const auto guard = guards_.find(id);
      if (guard == guards_.end()) continue;
      refused.push_back(guard->second.stream);
      guards_.erase(guard);
    }
  }
  for (const auto& stream : refused) {
    stream->End({grpc::StatusCode::PERMISSION_DENIED,
                 "by the rules, or by who is admitted to its horde, it may not serve any more"});
  }
  Spread();
}

absl::Status PairingServiceImpl::MayBeOf(const Party& who) {
  const std::lock_guard lock(mutex_);
  return endpoints_.MayBeOf(who);
}

void PairingServiceImpl::SetCutOff(bool cut_off) {
  {
    const std::lock_guard lock(mutex_);
    endpoints_.SetCutOff(cut_off);
  }
  Spread();
}

// With the lock held. flock lists a revoked node as dead, so whose its address was is remembered.
void PairingServiceImpl::JudgePairs() {
  if (!revoked_) return;
  std::set<IpAddress> nodes;
  for (const auto& [address, fingerprint] : fingerprints_) {
    if (revoked_->nodes.empty()) break;
    if (revoked_->nodes.contains(fingerprint)) nodes.insert(address);
  }
  pairs_.SetRevoked(std::move(nodes), revoked_->keys);
}

void PairingServiceImpl::SetRevoked(const Revoked& revoked) {
  std::vector<std::shared_ptr<GuardStream>> guards;
  {
    const std::lock_guard lock(mutex_);
    if (revoked_ == revoked) return;
    revoked_ = revoked;
    ++revoked_revision_;
    endpoints_.SetRevoked(revoked);
    JudgePairs();
    for (const auto& [id, guard] : guards_) guards.push_back(guard.stream);
  }
  for (const auto& stream : guards) stream->Wake();
  Spread();
}

}  // namespace radix::trust
