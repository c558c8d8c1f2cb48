#include "clients/cli/node_ready.h"

#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "clients/cli/node_process.h"

namespace radix::cli {
namespace {

constexpr std::array kOnEveryNode = {"flock1",  "heartbeater1", "reeve1",
                                     "picket1", "dean1",        "pastiche1"};

// Adds what the node itself does not say of itself.
void CheckItself(const Lab& lab, const LabNode& node, Findings& findings) {
  if (lab.flock_only) {
    if (const auto own = MembersAt(node); !own.ok()) findings.Add(own.status());
    return;
  }
  const auto serving = ServingAt(node);
  if (!serving.ok()) return findings.Add(serving.status());
  ExpectServices(node, node, *serving, findings);
}

// Another node that runs, and what its flock says.
struct Witness {
  const LabNode* node = nullptr;
  SeenMembers seen;
};

std::optional<Witness> FindWitness(const Lab& lab, const LabNode& node) {
  for (const LabNode& other : lab.nodes) {
    if (other.name == node.name || !RunningNode(other)) continue;
    // Who does not answer is passed over: another may. So is who was revoked: nobody lets it in.
    auto seen = MembersAt(other);
    if (!seen.ok() || seen->revoked.contains(other.address)) continue;
    return Witness{&other, *std::move(seen)};
  }
  return std::nullopt;
}

void CheckWitness(const LabNode& node, const Witness& witness, Findings& findings) {
  ExpectSteward(node, witness.seen.epoch, findings);
  ExpectSteward(*witness.node, witness.seen.epoch, findings);
  const auto serving = ServingAt(*witness.node);
  if (!serving.ok()) return findings.Add(serving.status());
  ExpectServices(node, *witness.node, *serving, findings);
}

}  // namespace

void ExpectServices(const LabNode& node, const LabNode& observer, const Serving& serving,
                    Findings& findings) {
  for (const char* api : kOnEveryNode) {
    if (serving.contains({node.name, api})) continue;
    findings.Add(absl::StrCat(api, " of ", node.name, ", as ", observer.name, " sees it"));
  }
}

void ExpectSteward(const LabNode& node, std::int64_t epoch, Findings& findings) {
  const auto with = StewardEpochAt(node);
  if (!with.ok()) return findings.Add(with.status());
  if (*with == epoch) return;
  findings.Add(absl::StrCat("reeve of ", node.name, " with the steward of epoch ", epoch));
}

Readiness CheckNodeServes(const Lab& lab, const LabNode& node) {
  Findings findings(true);
  CheckItself(lab, node, findings);
  if (!findings.readiness.missing.empty()) return findings.readiness;
  const auto witness = FindWitness(lab, node);
  if (!witness) return findings.readiness;
  if (!witness->seen.names.contains(node.name)) {
    findings.Add(absl::StrCat("member ", node.name, ", as ", witness->node->name, " sees it"));
  } else if (!lab.flock_only && witness->seen.epoch > 0) {
    CheckWitness(node, *witness, findings);
  }
  return findings.readiness;
}

}  // namespace radix::cli
