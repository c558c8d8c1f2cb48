// The commands that hold others: radix lab, radix flock.

#include "clients/cli/verbs.h"

namespace radix::cli {

void AddLab(CLI::App& app, Invocation& invocation) {
  CLI::App& lab =
      *app.add_subcommand("lab", "N nodes on this machine: powered up, killed, cut off, ended");
  lab.require_subcommand(1);
  lab.fallthrough();
  AddLabUp(lab, invocation);
  AddLabDown(lab, invocation);
  AddLabStatus(lab, invocation);
  AddLabKill(lab, invocation);
  AddLabStart(lab, invocation);
  AddLabCut(lab, invocation);
  AddLabHeal(lab, invocation);
}

void AddFlock(CLI::App& app, Invocation& invocation) {
  CLI::App& flock = *app.add_subcommand("flock", "What a node knows of the group, and why");
  flock.require_subcommand(1);
  flock.fallthrough();
  AddFlockEvents(flock, invocation);
  AddFlockWhy(flock, invocation);
  AddFlockCounters(flock, invocation);
}

}  // namespace radix::cli
