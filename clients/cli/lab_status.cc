// radix lab status: where the lab is, and which of its nodes run.

#include <iostream>

#include "clients/cli/lab_network.h"
#include "clients/cli/lab_view.h"
#include "clients/cli/node_process.h"
#include "clients/cli/verbs.h"
#include "clients/cli/view.h"

namespace radix::cli {

Json LabStatus(const Lab& lab) {
  Json nodes = Json::array();
  for (const LabNode& node : lab.nodes) {
    const auto process = RunningNode(node);
    nodes.push_back({{"node", node.name},
                     {"address", node.address},
                     {"pid", process ? Json(process->pid) : Json(nullptr)},
                     {"running", process.has_value()}});
    if (lab.netns) nodes.back()["netns"] = NamespaceOf(lab.state, node.name);
  }
  Json status = {{"state", lab.state.string()}, {"nodes", nodes}};
  if (lab.netns) status["hub"] = NamespaceOf(lab.state, "hub");
  return status;
}

namespace {

int ShowStatus(const Invocation& invocation) {
  const auto lab = invocation.OpenLab();
  if (!lab.ok()) {
    if (invocation.json()) PrintJson({{"state", nullptr}, {"nodes", Json::array()}});
    return Fail(lab.status());
  }
  const Json status = LabStatus(*lab);
  if (invocation.json()) {
    PrintJson(status);
  } else {
    std::cout << lab->state.string() << "\n\n";
    PrintObjects(status["nodes"]);
  }
  return kExitOk;
}

}  // namespace

void AddLabStatus(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb =
      *lab.add_subcommand("status", "Says where the lab is and which nodes run")->fallthrough();
  verb.callback(
      [&invocation] { invocation.run = [&invocation] { return ShowStatus(invocation); }; });
}

}  // namespace radix::cli
