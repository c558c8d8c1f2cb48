#include "services/trust/call_policy.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace radix::trust {
namespace {

bool Means(const Meant& meant, const GuardedEndpoint& served) {
  return meant.horde == served.api.horde &&
         (meant.api.empty() || meant.api == served.api.service) &&
         (meant.inst.empty() || meant.inst == served.inst);
}

}  // namespace

void CallPolicy::SetRules(std::shared_ptr<const Rules> rules) {
  rules_ = std::move(rules);
  remembered_.clear();
}

absl::Status CallPolicy::IsOfHorde(const Party& who, std::uint64_t node, bool is_own) const {
  if (hordes_.Has(who.horde, node)) return absl::OkStatus();
  return absl::PermissionDeniedError(hordes_.Find(who.horde) == nullptr
                                         ? absl::StrCat("no horde is called '", who.horde, "'")
                                         : absl::StrCat(is_own ? "this node" : "the caller's node",
                                                        " is not admitted to the horde '",
                                                        who.horde, "'"));
}

absl::Status CallPolicy::MayBeOf(const Party& who) const {
  return rules_ == nullptr ? absl::OkStatus() : IsOfHorde(who, own_, /*is_own=*/true);
}

absl::Status CallPolicy::MayServe(const GuardedEndpoint& served) const {
  if (rules_ == nullptr) return absl::OkStatus();
  const Party who{served.api.horde, served.service};
  if (absl::Status of_horde = MayBeOf(who); !of_horde.ok()) return of_horde;
  const auto verdict = rules_->Decide(Verb::kServe, who, served.api);
  if (verdict.allowed) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(who.ToString(), " may not serve ",
                                                  served.api.ToString(), ": ", verdict.Reason()));
}

absl::Status CallPolicy::MayCall(std::uint64_t origin, const Pair& pair,
                                 const GuardedEndpoint& served) const {
  if (revoked_.keys.contains(pair.key)) return absl::PermissionDeniedError("the key was revoked");
  if (revoked_.nodes.contains(origin)) {
    return absl::PermissionDeniedError("the caller's node was revoked");
  }
  if (std::ranges::any_of(served.keys,
                          [&](const KeyId& key) { return revoked_.keys.contains(key); })) {
    return absl::PermissionDeniedError("the endpoint's key was revoked");
  }
  if (cut_off_ && origin != own_) {
    return absl::PermissionDeniedError(
        "the server's node has had no leader for so long that it cannot know what was revoked; "
        "see 'grace' in the rules");
  }
  if (rules_ == nullptr) return absl::UnavailableError("the rules are not known yet");
  if (!Means(pair.meant, served)) {
    return absl::NotFoundError(absl::StrCat(pair.endpoint.ToString(), " serves ", served.inst,
                                            " of ", served.api.ToString(), " now"));
  }
  if (absl::Status of_horde = IsOfHorde(pair.caller, origin, /*is_own=*/origin == own_);
      !of_horde.ok()) {
    return of_horde;
  }
  if (Allows(pair.caller, served.api)) return absl::OkStatus();
  const auto verdict = rules_->Decide(Verb::kCall, pair.caller, served.api);
  return absl::PermissionDeniedError(absl::StrCat(pair.caller.ToString(), " may not call ",
                                                  served.api.ToString(), ": ", verdict.Reason()));
}

bool CallPolicy::Allows(const Party& caller, const Party& api) const {
  const auto known = remembered_.find({caller, api});
  if (known != remembered_.end()) return known->second;
  if (remembered_.size() >= kRememberedMax) remembered_.clear();
  const bool allowed = rules_->Decide(Verb::kCall, caller, api).allowed;
  remembered_[{caller, api}] = allowed;
  return allowed;
}

}  // namespace radix::trust
