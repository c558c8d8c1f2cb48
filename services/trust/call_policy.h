// Who may call which endpoint, and who may serve: by the rules, by the hordes that nodes are
// admitted to, and by what was revoked, as far as this node can know.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "services/registry/hordes.h"
#include "services/trust/guarded_endpoint.h"
#include "services/trust/pair.h"
#include "services/trust/revoked.h"
#include "services/trust/rules.h"

namespace radix::trust {

// Knows no rules at first, and says so. Not thread-safe.
class CallPolicy {
 public:
  // `own` is the fingerprint of the key of the node whose endpoints these are.
  explicit CallPolicy(std::uint64_t own) : own_(own) {}

  void SetRules(std::shared_ptr<const Rules> rules);
  // Until then there are those that every group has.
  void SetHordes(registry::Hordes hordes) { hordes_ = std::move(hordes); }
  void SetRevoked(const Revoked& revoked) { revoked_ = revoked; }
  // Whether this node has been without a leader for too long: see contact.h.
  void SetCutOff(bool cut_off) { cut_off_ = cut_off; }

  const registry::Hordes& hordes() const { return hordes_; }
  const Revoked& revoked() const { return revoked_; }
  bool cut_off() const { return cut_off_; }
  bool rules_are_known() const { return rules_ != nullptr; }

  // Whether what runs on this node may be of that horde. PermissionDenied, naming it. As long as no
  // rules are known, nor are hordes, and anybody may.
  absl::Status MayBeOf(const Party& who) const;

  // PermissionDenied, naming the rule or the horde. As long as no rules are known anybody may
  // serve: nobody is let in then.
  absl::Status MayServe(const GuardedEndpoint& served) const;

  // Whether a key of the node `origin` is to be let in at `served`.
  //
  // Errors: PermissionDenied, naming the rule, the horde, what was revoked, or that
  // this node cannot know; NotFound, when what
  // is meant is not what is served there; Unavailable, while no rules are known.
  absl::Status MayCall(std::uint64_t origin, const Pair& pair, const GuardedEndpoint& served) const;

 private:
  static constexpr std::size_t kRememberedMax = 16384;

  absl::Status IsOfHorde(const Party& who, std::uint64_t node, bool is_own) const;
  bool Allows(const Party& caller, const Party& api) const;

  const std::uint64_t own_;
  std::shared_ptr<const Rules> rules_;
  registry::Hordes hordes_;
  Revoked revoked_;
  bool cut_off_ = false;
  // There may be thousands of rules, and far more keys than parties.
  mutable std::map<std::pair<Party, Party>, bool> remembered_;
};

}  // namespace radix::trust
