#include "clients/cli/starter_rules.h"

#include <optional>

#include "absl/status/status.h"
#include "clients/cli/rules.h"

namespace radix::cli {

absl::StatusOr<bool> BeginRules(const LabNode& node, Duration limit) {
  const auto decided = RulesOfLeader(node, limit);
  if (!decided.ok()) return decided.status();
  if (decided->text) return false;
  const auto revision = Decide(node, kStarterRules, std::nullopt, limit);
  if (absl::IsAborted(revision.status())) return false;  // somebody was faster
  if (!revision.ok()) return revision.status();
  return true;
}

}  // namespace radix::cli
