#include "services/trust/whitelist.h"

namespace radix::trust {

bool Whitelist::Handle(const News& news) {
  if (news.revoked) revoked_ = *news.revoked;
  for (const Caller& caller : news.callers) {
    callers_[caller.key] = caller;
    named_.insert(caller.key);
  }
  std::size_t gone = 0;
  for (const KeyId& key : news.gone) {
    gone += callers_.erase(key);
    named_.erase(key);
  }
  gone += std::erase_if(callers_, [&](const auto& each) {
    return IsRevoked(each.second) || (news.complete && !named_.contains(each.first));
  });
  return gone > 0;
}

const Caller* Whitelist::Find(const KeyId& key) const {
  const auto found = callers_.find(key);
  return found == callers_.end() ? nullptr : &found->second;
}

bool Whitelist::IsRevoked(const Caller& caller) const {
  return revoked_.keys.contains(caller.key) || revoked_.nodes.contains(caller.node);
}

}  // namespace radix::trust
