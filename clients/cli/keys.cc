// radix keys: the command itself, and radix keys status: which secondary keys are in use, and who
// has acknowledged them.

#include "clients/cli/keys.h"

#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/verbs.h"
#include "radix/flock/v1/flock.grpc.pb.h"

namespace radix::cli {
namespace {

using flock::v1::FlockService;
using flock::v1::GetKeysResponse;

Json TagOrNull(const std::string& tag) { return tag.empty() ? Json(nullptr) : Json(tag); }

void PrintText(const GetKeysResponse& keys) {
  const auto& secondary = keys.secondary();
  std::cout << "secondary key " << secondary.current();
  if (!secondary.previous().empty()) std::cout << ", previous " << secondary.previous();
  if (!secondary.next().empty()) std::cout << ", next " << secondary.next();
  std::cout << "; phase " << PhaseName(secondary.phase()) << ", acknowledged by "
            << secondary.acknowledged_count() << " of " << secondary.member_count() << "; leader "
            << secondary.leader_node() << ", epoch " << secondary.epoch() << "\ntransient key "
            << keys.transient() << "\n\n";
  std::vector<std::vector<std::string>> rows = {{"node", "address", "acknowledged"}};
  for (const auto& member : keys.members()) {
    rows.push_back({member.node(), member.address(), member.acknowledged() ? "yes" : "-"});
  }
  PrintTable(rows);
}

}  // namespace

Json ToJson(const GetKeysResponse& keys) {
  const auto& secondary = keys.secondary();
  Json json = {{"epoch", secondary.epoch()},
               {"leader", secondary.leader_node()},
               {"phase", PhaseName(secondary.phase())},
               {"current", secondary.current()},
               {"previous", TagOrNull(secondary.previous())},
               {"next", TagOrNull(secondary.next())},
               {"transient", keys.transient()},
               {"acknowledged", secondary.acknowledged_count()}};
  json["members"] = Json::array();
  for (const auto& member : keys.members()) {
    json["members"].push_back({{"node", member.node()},
                               {"address", member.address()},
                               {"acknowledged", member.acknowledged()}});
  }
  return json;
}

std::string PhaseName(flock::v1::RotationPhase phase) {
  switch (phase) {
    case flock::v1::ROTATION_PHASE_USED:
      return "used";
    case flock::v1::ROTATION_PHASE_INSTALLED:
      return "installed";
    default:
      return "idle";
  }
}

absl::StatusOr<GetKeysResponse> GetKeys(const LabNode& node) {
  return Ask<FlockService>(node, "flock", &FlockService::Stub::async::GetKeys, {});
}

void AddKeys(CLI::App& app, Invocation& invocation) {
  CLI::App& keys = *app.add_subcommand(
      "keys", "The keys that let nodes into the group, and operators to its services");
  keys.require_subcommand(1);
  keys.fallthrough();
  CLI::App& status = *keys.add_subcommand("status",
                                          "Says which keys are in use, and who has "
                                          "acknowledged the last phase of a rotation")
                          ->fallthrough();
  status.callback([&invocation] {
    invocation.run = [&invocation] {
      const auto node = invocation.OpenNode();
      if (!node.ok()) return Fail(node.status());
      const auto reply = GetKeys(*node);
      if (!reply.ok()) return Fail(reply.status());
      if (invocation.json()) {
        PrintJson(ToJson(*reply));
      } else {
        PrintText(*reply);
      }
      return kExitOk;
    };
  });
  AddKeysLs(keys, invocation);
  AddKeysIssue(keys, invocation);
  AddKeysRevoke(keys, invocation);
  AddKeysRoll(keys, invocation);
  AddKeysRotate(keys, invocation);
}

}  // namespace radix::cli
