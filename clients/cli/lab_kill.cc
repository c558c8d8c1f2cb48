// radix lab kill: what a power failure does to one node.

#include <csignal>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/lab_view.h"
#include "clients/cli/node_process.h"
#include "clients/cli/verbs.h"

namespace radix::cli {
namespace {

constexpr Duration kGoneLimit = 5s;  // its services die with it, within some 50 ms

int LabKill(const Invocation& invocation, const std::string& name) {
  const auto lab = invocation.OpenLab();
  if (!lab.ok()) return Fail(lab.status());
  const auto node = lab->Node(name);
  if (!node.ok()) return Fail(node.status());
  if (!RunningNode(*node)) {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat(name, " does not run; `radix lab start ", name, "` starts it")));
  }
  const absl::Status status = EndNodes({*node}, SIGKILL, kGoneLimit);
  if (!status.ok()) return Fail(status);
  return Report(invocation.json(), LabStatus(*lab), name + " is gone");
}

}  // namespace

void AddLabKill(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb = *lab.add_subcommand("kill", "Kills a node, all of it at once")->fallthrough();
  const auto name = std::make_shared<std::string>();
  verb.add_option("node", *name, "The node, for example n2")->required();
  verb.callback(
      [&invocation, name] { invocation.run = [&, name] { return LabKill(invocation, *name); }; });
}

}  // namespace radix::cli
