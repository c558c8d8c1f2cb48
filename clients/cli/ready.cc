#include "clients/cli/ready.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/flock_ready.h"
#include "clients/cli/node_ready.h"
#include "clients/cli/observe.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;

constexpr std::array kOnTheLeader = {"steward1", "proctor1"};
constexpr std::array kSomewhere = {"healthminder1"};
constexpr CallOptions kQuick = {.timeout = 1s};

void FindLeader(const Lab& lab, Findings& findings) {
  std::string answer = "no flock answers";
  for (const LabNode& node : lab.nodes) {
    const auto seen = MembersAt(node);
    if (!seen.ok()) continue;
    if (answer == "no flock answers") {
      answer = absl::StrCat(node.name, " knows ", seen->addresses.size(), " of ", lab.nodes.size(),
                            " nodes");
    }
    if (seen->leader.empty()) continue;
    findings.readiness.leader = seen->leader;
    findings.readiness.epoch = seen->epoch;
    return;
  }
  findings.Add(absl::StrCat("a sealed leader (", answer, ")"));
}

void CheckBuiltIns(const Lab& lab, Findings& findings) {
  const auto leader = lab.Node(findings.readiness.leader);
  if (!leader.ok()) return findings.Add(leader.status());
  const auto status =
      Ask<DeanService>(*leader, "dean", &DeanService::Stub::async::GetStatus, {}, kQuick);
  if (!status.ok()) return findings.Add(status.status());
  if (status->epoch() != findings.readiness.epoch) {
    return findings.Add(absl::StrCat("proctor under epoch ", findings.readiness.epoch, " (it has ",
                                     status->epoch(), ")"));
  }
  if (status->builtin_doneness() >= 1) return;
  std::string unmet;
  for (const auto& item : status->unmet()) {
    absl::StrAppend(&unmet, "; ", item.service(), item.node().empty() ? "" : " on ", item.node(),
                    ": ", item.reason());
  }
  findings.Add(absl::StrCat("built-in services: doneness ", status->builtin_doneness(), unmet));
}

void CheckMembers(const Lab& lab, const LabNode& node, Findings& findings) {
  const auto seen = MembersAt(node);
  if (!seen.ok()) return findings.Add(seen.status());
  for (const LabNode& other : lab.nodes) {
    if (seen->names.contains(other.name)) continue;
    findings.Add(absl::StrCat("member ", other.name, ", as ", node.name, " sees it"));
  }
}

void CheckReeve(const Lab& lab, const LabNode& node, Findings& findings) {
  ExpectSteward(node, findings.readiness.epoch, findings);
  if (findings.enough()) return;
  const auto serving = ServingAt(node);
  if (!serving.ok()) return findings.Add(serving.status());
  for (const LabNode& other : lab.nodes) ExpectServices(other, node, *serving, findings);
  for (const char* api : kOnTheLeader) {
    if (serving->contains({findings.readiness.leader, api})) continue;
    findings.Add(
        absl::StrCat(api, " of ", findings.readiness.leader, ", as ", node.name, " sees it"));
  }
  for (const std::string api : kSomewhere) {
    const bool found = std::any_of(serving->begin(), serving->end(),
                                   [&](const auto& each) { return each.second == api; });
    if (!found) findings.Add(absl::StrCat(api, " anywhere, as ", node.name, " sees it"));
  }
}

}  // namespace

Readiness CheckReady(const Lab& lab, bool all) {
  if (lab.flock_only) return CheckFlockReady(lab, all);
  Findings findings(all);
  FindLeader(lab, findings);
  if (findings.readiness.epoch == 0) return findings.readiness;
  CheckBuiltIns(lab, findings);
  for (const LabNode& node : lab.nodes) {
    if (findings.enough()) break;
    CheckMembers(lab, node, findings);
    if (findings.enough()) break;
    CheckReeve(lab, node, findings);
  }
  return findings.readiness;
}

}  // namespace radix::cli
