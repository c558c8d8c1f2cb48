// radix lab cut, radix lab heal: part the network of a lab of network namespaces, and join it
// again.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/lab_network.h"
#include "clients/cli/lab_view.h"
#include "clients/cli/verbs.h"

namespace radix::cli {
namespace {

int Part(const Invocation& invocation, const std::vector<std::string>& names) {
  const auto lab = invocation.OpenLab();
  if (!lab.ok()) return Fail(lab.status());
  std::vector<LabNode> nodes;
  for (const std::string& name : names) {
    const auto node = lab->Node(name);
    if (!node.ok()) return Fail(node.status());
    nodes.push_back(*node);
  }
  if (std::set(names.begin(), names.end()).size() == lab->nodes.size()) {
    return Fail(absl::InvalidArgumentError(
        "nodes: are all of the lab, so that there are no others to cut them off from"));
  }
  if (absl::Status status = Cut(*lab, nodes); !status.ok()) return Fail(status);
  return Report(invocation.json(), LabStatus(*lab),
                names.empty()
                    ? "every node reaches every other one"
                    : absl::StrCat("no datagram passes between ", absl::StrJoin(names, ", "),
                                   " and the other nodes; `radix lab heal` ends that"));
}

}  // namespace

void AddLabCut(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb =
      *lab.add_subcommand("cut", "Cuts nodes off from the others (a lab up with --netns)")
           ->fallthrough();
  const auto names = std::make_shared<std::vector<std::string>>();
  verb.add_option("nodes", *names, "The nodes, for example n1 n2; an earlier cut is ended")
      ->required();
  verb.callback(
      [&invocation, names] { invocation.run = [&, names] { return Part(invocation, *names); }; });
}

void AddLabHeal(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb = *lab.add_subcommand("heal", "Ends what `radix lab cut` did")->fallthrough();
  verb.callback([&invocation] { invocation.run = [&] { return Part(invocation, {}); }; });
}

}  // namespace radix::cli
