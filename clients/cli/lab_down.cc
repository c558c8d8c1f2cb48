// radix lab down: ends every process of the lab. Its files stay, so that it can be brought up
// again.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/lab_network.h"
#include "clients/cli/lab_view.h"
#include "clients/cli/node_process.h"
#include "clients/cli/verbs.h"
#include "services/confab/lock_file.h"

namespace radix::cli {
namespace {

constexpr Duration kDrainLimit = 40s;  // more than a fulcrum takes, unless it hangs

absl::Status End(const std::filesystem::path& state, const std::vector<LabNode>& nodes) {
  const absl::Status ended = EndNodes(nodes, SIGTERM, kDrainLimit);
  return ended.ok() ? RemoveNetwork(state) : ended;
}

// What runs is ended even so; that the lab is damaged stays an error.
int EndDamaged(const std::filesystem::path& state) {
  const absl::Status status = End(state, NodesLeftIn(state));
  if (!status.ok()) return Fail(status);
  ForgetLab(state);
  return Fail(absl::DataLossError(absl::StrCat(
      "the lab at ", state.string(), " is down; its lab.json is damaged or gone: remove ",
      state.string(), " before you make another one there")));
}

bool AnyRuns(const std::vector<LabNode>& nodes) {
  return std::ranges::any_of(nodes,
                             [](const LabNode& node) { return RunningNode(node).has_value(); });
}

int LabDown(const Invocation& invocation) {
  const auto lab = invocation.OpenLab();
  if (absl::IsNotFound(lab.status())) {
    const std::filesystem::path state = FindLab(invocation.state);
    if (AnyRuns(NodesLeftIn(state))) return EndDamaged(state);
    return Report(invocation.json(), {{"state", nullptr}, {"nodes", Json::array()}},
                  "no lab is up");
  }
  if (absl::IsDataLoss(lab.status())) return EndDamaged(FindLab(invocation.state));
  if (!lab.ok()) return Fail(lab.status());
  // Where `radix lab up` has it, that one ends as soon as its nodes do. One that comes now has to
  // wait, or it would say of what is about to end that it is up.
  const auto lock = confab::LockFile::Take(lab->state / "lab.lock");
  const absl::Status status = End(lab->state, lab->nodes);
  if (!status.ok()) return Fail(status);
  ForgetLab(lab->state);
  return Report(invocation.json(), LabStatus(*lab),
                absl::StrCat("the lab at ", lab->state.string(), " is down"));
}

}  // namespace

void AddLabDown(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb = *lab.add_subcommand("down", "Ends every node of the lab")->fallthrough();
  verb.callback([&invocation] { invocation.run = [&invocation] { return LabDown(invocation); }; });
}

}  // namespace radix::cli
