// radix lab start: starts a node again that was killed, on the state that it left behind.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/await.h"
#include "clients/cli/lab_view.h"
#include "clients/cli/log_tail.h"
#include "clients/cli/node_process.h"
#include "clients/cli/node_ready.h"
#include "clients/cli/port_check.h"
#include "clients/cli/verbs.h"

namespace radix::cli {
namespace {

constexpr Duration kServesLimit = 60s;

absl::Status AwaitNode(const Lab& lab, const LabNode& node, const ProcessId& process) {
  const confab::Descriptor ended = EndOf(process);
  Await await(kServesLimit);
  Readiness readiness;
  do {
    readiness = CheckNodeServes(lab, node);
    if (readiness.missing.empty()) return absl::OkStatus();
    if (!IsRunning(process)) {
      return absl::UnavailableError(
          absl::StrCat("fulcrum of ", node.name, " ended; the last it said:", LogTail(node)));
    }
  } while (await.Again({ended.get()}));
  return absl::DeadlineExceededError(absl::StrCat(
      node.name, " runs, but after 60 s these are missing: ",
      absl::StrJoin(readiness.missing, ", "), "; see ", (node.state / "log").string()));
}

int LabStart(const Invocation& invocation, const std::string& name) {
  const auto lab = invocation.OpenLab();
  if (!lab.ok()) return Fail(lab.status());
  const auto node = lab->Node(name);
  if (!node.ok()) return Fail(node.status());
  if (RunningNode(*node)) {
    return Report(invocation.json(), LabStatus(*lab), name + " runs already");
  }
  if (absl::Status status = CheckPortsFree(*lab, *node); !status.ok()) return Fail(status);
  const auto process = StartNode(*lab, *node);
  if (!process.ok()) return Fail(process.status());
  if (absl::Status status = AwaitNode(*lab, *node, *process); !status.ok()) return Fail(status);
  return Report(invocation.json(), LabStatus(*lab), name + " serves again");
}

}  // namespace

void AddLabStart(CLI::App& lab, Invocation& invocation) {
  CLI::App& verb =
      *lab.add_subcommand("start", "Starts a killed node again, on the same state")->fallthrough();
  const auto name = std::make_shared<std::string>();
  verb.add_option("node", *name, "The node, for example n2")->required();
  verb.callback(
      [&invocation, name] { invocation.run = [&, name] { return LabStart(invocation, *name); }; });
}

}  // namespace radix::cli
