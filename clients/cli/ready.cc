#include "clients/cli/ready.h"

#include <array>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/node_process.h"
#include "radix/flock/v1/flock.grpc.pb.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"

namespace radix::cli {
namespace {

using flock::v1::FlockService;
using proctor::v1::DeanService;
using reeve::v1::ReeveService;

constexpr std::array kOnEveryNode = {"flock1",  "heartbeater1", "reeve1",
                                     "picket1", "dean1",        "pastiche1"};
constexpr std::array kOnTheLeader = {"steward1", "proctor1"};
constexpr std::array kSomewhere = {"healthminder1"};
constexpr CallOptions kQuick = {.timeout = 1s};

// (node, api) of every instance that serves.
using Serving = std::set<std::pair<std::string, std::string>>;

absl::StatusOr<Serving> ServingAt(const LabNode& node) {
  const auto reply =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::ListInstances, {}, kQuick);
  if (!reply.ok()) return reply.status();
  Serving serving;
  for (const auto& instance : reply->instances()) {
    if (instance.horde() == "radix" && instance.status() == registry::v1::STATUS_SERVING) {
      serving.emplace(instance.node(), instance.api());
    }
  }
  return serving;
}

// Collects what is missing; says when to stop.
class Findings {
 public:
  explicit Findings(bool all) : all_(all) {}

  void Add(const std::string& what) { readiness.missing.push_back(what); }
  bool enough() const { return !all_ && !readiness.missing.empty(); }

  Readiness readiness;

 private:
  const bool all_;
};

void FindLeader(const Lab& lab, Findings& findings) {
  std::string answer = "no flock answers";
  for (const LabNode& node : lab.nodes) {
    const auto reply =
        Ask<FlockService>(node, "flock", &FlockService::Stub::async::ListMembers, {}, kQuick);
    if (!reply.ok()) continue;
    if (answer == "no flock answers") {
      answer = absl::StrCat(node.name, " knows ", reply->members_size(), " of ", lab.nodes.size(),
                            " nodes");
    }
    for (const auto& member : reply->members()) {
      if (!member.leader() || member.node().empty()) continue;
      findings.readiness.leader = member.node();
      findings.readiness.epoch = reply->epoch();
      return;
    }
  }
  findings.Add(absl::StrCat("a sealed leader (", answer, ")"));
}

void CheckBuiltIns(const Lab& lab, Findings& findings) {
  const auto leader = lab.Node(findings.readiness.leader);
  if (!leader.ok()) return findings.Add(std::string(leader.status().message()));
  const auto status =
      Ask<DeanService>(*leader, "dean", &DeanService::Stub::async::GetStatus, {}, kQuick);
  if (!status.ok()) return findings.Add(std::string(status.status().message()));
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

// Who is alive, as `node` sees it. Names are learnt after addresses, so a member may be known and
// have none yet.
absl::StatusOr<std::set<std::string>> AliveAt(const LabNode& node) {
  const auto reply =
      Ask<FlockService>(node, "flock", &FlockService::Stub::async::ListMembers, {}, kQuick);
  if (!reply.ok()) return reply.status();
  std::set<std::string> alive;
  for (const auto& member : reply->members()) {
    if (member.state() == flock::v1::MEMBER_STATE_ALIVE) alive.insert(member.node());
  }
  return alive;
}

void CheckMembers(const Lab& lab, const LabNode& node, Findings& findings) {
  const auto alive = AliveAt(node);
  if (!alive.ok()) return findings.Add(std::string(alive.status().message()));
  for (const LabNode& other : lab.nodes) {
    if (alive->contains(other.name)) continue;
    findings.Add(absl::StrCat("member ", other.name, ", as ", node.name, " sees it"));
  }
}

void CheckReeve(const Lab& lab, const LabNode& node, Findings& findings) {
  const auto state =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::GetState, {}, kQuick);
  if (!state.ok()) return findings.Add(std::string(state.status().message()));
  if (!state->steward_connected() || state->epoch() != findings.readiness.epoch) {
    return findings.Add(absl::StrCat("reeve of ", node.name, " with the steward of epoch ",
                                     findings.readiness.epoch));
  }
  const auto serving = ServingAt(node);
  if (!serving.ok()) return findings.Add(std::string(serving.status().message()));
  const auto expect = [&](const std::string& where, const std::string& api) {
    if (serving->contains({where, api})) return;
    findings.Add(absl::StrCat(api, " of ", where, ", as ", node.name, " sees it"));
  };
  for (const LabNode& other : lab.nodes) {
    for (const char* api : kOnEveryNode) expect(other.name, api);
  }
  for (const char* api : kOnTheLeader) expect(findings.readiness.leader, api);
  for (const std::string api : kSomewhere) {
    bool found = false;
    for (const auto& each : *serving) found = found || each.second == api;
    if (!found) findings.Add(absl::StrCat(api, " anywhere, as ", node.name, " sees it"));
  }
}

// Whether its reeve learns of other nodes' services at present.
bool HasSteward(const LabNode& node) {
  const auto state =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::GetState, {}, kQuick);
  return state.ok() && state->steward_connected();
}

// Whether `observer` sees all that `node` must have; if not, it is added to `findings`.
bool ExpectServices(const LabNode& node, const LabNode& observer, Findings& findings) {
  const auto serving = ServingAt(observer);
  if (!serving.ok()) {
    findings.Add(std::string(serving.status().message()));
    return false;
  }
  bool all = true;
  for (const char* api : kOnEveryNode) {
    if (serving->contains({node.name, api})) continue;
    findings.Add(absl::StrCat(api, " of ", node.name, ", as ", observer.name, " sees it"));
    all = false;
  }
  return all;
}

// Whether `node` lists all of the lab as alive, and the leader that the nodes before it list.
void CheckFlock(const Lab& lab, const LabNode& node, Findings& findings) {
  const auto reply =
      Ask<FlockService>(node, "flock", &FlockService::Stub::async::ListMembers, {}, kQuick);
  if (!reply.ok()) return findings.Add(std::string(reply.status().message()));
  std::set<std::string> alive;
  std::string leader;
  for (const auto& member : reply->members()) {
    if (member.state() == flock::v1::MEMBER_STATE_ALIVE) alive.insert(member.address());
    if (member.leader()) leader = member.address();
  }
  std::size_t missing = 0;
  for (const LabNode& other : lab.nodes) {
    if (!alive.contains(other.address)) ++missing;
    if (other.address == leader) leader = other.name;
  }
  if (missing > 0) {
    findings.Add(
        absl::StrCat(missing, " of ", lab.nodes.size(), " members, as ", node.name, " sees it"));
  }
  Readiness& all = findings.readiness;
  if (&node == &lab.nodes.front()) {
    all.leader = leader;
    all.epoch = leader.empty() ? 0 : reply->epoch();
  }
  if (leader.empty() || leader != all.leader || reply->epoch() != all.epoch) {
    findings.Add(absl::StrCat("one sealed leader, as ", node.name, " sees it (",
                              leader.empty() ? "none" : leader, ")"));
  }
}

Readiness CheckFlockOnly(const Lab& lab, bool all) {
  Findings findings(all);
  for (const LabNode& node : lab.nodes) {
    if (findings.enough()) break;
    CheckFlock(lab, node, findings);
  }
  return findings.readiness;
}

}  // namespace

Readiness CheckReady(const Lab& lab, bool all) {
  if (lab.flock_only) return CheckFlockOnly(lab, all);
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

Readiness CheckNodeServes(const Lab& lab, const LabNode& node) {
  Findings findings(true);
  if (lab.flock_only) {
    if (const auto own = AliveAt(node); !own.ok()) {
      findings.Add(std::string(own.status().message()));
      return findings.readiness;
    }
  } else if (!ExpectServices(node, node, findings)) {
    return findings.readiness;
  }
  for (const LabNode& other : lab.nodes) {
    if (other.name == node.name || !RunningNode(other)) continue;
    const auto alive = AliveAt(other);
    if (!alive.ok()) continue;  // it does not answer: another may
    if (!alive->contains(node.name)) {
      findings.Add(absl::StrCat("member ", node.name, ", as ", other.name, " sees it"));
    } else if (!lab.flock_only && HasSteward(node) && HasSteward(other)) {
      ExpectServices(node, other, findings);
    }
    break;
  }
  return findings.readiness;
}

}  // namespace radix::cli
