#include "services/trust/whitelist.h"

namespace radix::trust {

Whitelist::Loss Whitelist::Clear() {
  const bool had_some = !callers_.empty();
  callers_.clear();
  named_.clear();
  return had_some ? Loss::kForbidden : Loss::kNone;
}

Whitelist::Loss Whitelist::Handle(const News& news) {
  // Of keys that are not used any more connections may be left.
  const bool revoked = news.revoked && *news.revoked != revoked_;
  if (revoked) revoked_ = *news.revoked;
  for (const Caller& caller : news.callers) {
    callers_[caller.key] = caller;
    named_.insert(caller.key);
  }
  std::size_t gone = 0;
  for (const KeyId& key : news.gone) gone += Erase(key);
  std::size_t forbidden = 0;
  for (const KeyId& key : news.forbidden) forbidden += Erase(key);
  // Who was not named again may have lost its right while reeve was away.
  forbidden += std::erase_if(callers_, [&](const auto& each) {
    return IsRevoked(each.second) || (news.complete && !named_.contains(each.first));
  });
  if (forbidden > 0 || revoked) return Loss::kForbidden;
  return gone > 0 ? Loss::kGone : Loss::kNone;
}

std::size_t Whitelist::Erase(const KeyId& key) {
  named_.erase(key);
  return callers_.erase(key);
}

const Caller* Whitelist::Find(const KeyId& key) const {
  const auto found = callers_.find(key);
  return found == callers_.end() ? nullptr : &found->second;
}

bool Whitelist::IsRevoked(const Caller& caller) const {
  return revoked_.keys.contains(caller.key) || revoked_.nodes.contains(caller.node);
}

}  // namespace radix::trust
