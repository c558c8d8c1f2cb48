// radix lab down: ends every process of the lab. Its files stay, so that it can be brought up
// again.

#include <csignal>
#include <iostream>

#include "clients/cli/lab_view.h"
#include "clients/cli/node_process.h"
#include "clients/cli/verbs.h"

namespace radix::cli {
namespace {

constexpr Duration kDrainLimit = 20s;

int LabDown(const Session& session) {
  const auto lab = session.OpenLab();
  if (absl::IsNotFound(lab.status())) {
    if (session.json())
      PrintJson({{"state", nullptr}, {"nodes", Json::array()}});
    else
      std::cout << "no lab is up\n";
    return kExitOk;
  }
  if (!lab.ok()) return Fail(lab.status());
  const absl::Status status = EndNodes(lab->nodes, SIGTERM, kDrainLimit);
  if (!status.ok()) return Fail(status);
  ForgetLab(lab->state);
  if (session.json()) {
    PrintJson(LabStatus(*lab));
  } else {
    std::cout << "the lab at " << lab->state.string() << " is down\n";
  }
  return kExitOk;
}

}  // namespace

void AddLabDown(CLI::App& lab, Session& session) {
  CLI::App& verb = *lab.add_subcommand("down", "Ends every node of the lab")->fallthrough();
  verb.callback([&session] { session.run = [&session] { return LabDown(session); }; });
}

}  // namespace radix::cli
