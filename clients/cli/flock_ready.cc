#include "clients/cli/flock_ready.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/observe.h"

namespace radix::cli {
namespace {

// The leader by its name in the lab: flock may know its address only.
std::string LeaderOf(const Lab& lab, const SeenMembers& seen) {
  for (const LabNode& node : lab.nodes) {
    if (node.address == seen.leader_address) return node.name;
  }
  return seen.leader_address;
}

void CheckFlock(const Lab& lab, const LabNode& node, Findings& findings) {
  const auto seen = MembersAt(node);
  if (!seen.ok()) return findings.Add(seen.status());
  const auto missing = std::count_if(lab.nodes.begin(), lab.nodes.end(), [&](const LabNode& other) {
    return !seen->addresses.contains(other.address);
  });
  if (missing > 0) {
    findings.Add(
        absl::StrCat(missing, " of ", lab.nodes.size(), " members, as ", node.name, " sees it"));
  }
  const std::string leader = LeaderOf(lab, *seen);
  Readiness& all = findings.readiness;
  if (&node == &lab.nodes.front()) {
    all.leader = leader;
    all.epoch = seen->epoch;
  }
  if (leader.empty() || leader != all.leader || seen->epoch != all.epoch) {
    findings.Add(absl::StrCat("one sealed leader, as ", node.name, " sees it (",
                              leader.empty() ? "none" : leader, ")"));
  }
}

}  // namespace

Readiness CheckFlockReady(const Lab& lab, bool all) {
  Findings findings(all);
  for (const LabNode& node : lab.nodes) {
    if (findings.enough()) break;
    CheckFlock(lab, node, findings);
  }
  return findings.readiness;
}

}  // namespace radix::cli
