// The commands of `radix`: one file each. Each function adds its command to the command line.

#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"

namespace radix::cli {

// What all commands share, and which of them was chosen.
struct Invocation {
  std::string state;            // --state
  std::string node;             // --node
  std::string output = "text";  // --output: text or json
  std::function<int()> run;     // the chosen command; returns the exit code

  bool json() const { return output == "json"; }

  // The lab that is meant.
  absl::StatusOr<Lab> OpenLab() const { return LoadLab(FindLab(state)); }

  // The node that is asked.
  absl::StatusOr<LabNode> OpenNode() const {
    const auto lab = OpenLab();
    if (!lab.ok()) return lab.status();
    return node.empty() ? lab->nodes.front() : lab->Node(node);
  }
};

void AddLab(CLI::App& app, Invocation& invocation);
void AddLabUp(CLI::App& lab, Invocation& invocation);
void AddLabDown(CLI::App& lab, Invocation& invocation);
void AddLabStatus(CLI::App& lab, Invocation& invocation);
void AddLabKill(CLI::App& lab, Invocation& invocation);
void AddLabStart(CLI::App& lab, Invocation& invocation);
void AddLabCut(CLI::App& lab, Invocation& invocation);
void AddLabHeal(CLI::App& lab, Invocation& invocation);

void AddFlock(CLI::App& app, Invocation& invocation);
void AddFlockEvents(CLI::App& flock, Invocation& invocation);
void AddFlockCounters(CLI::App& flock, Invocation& invocation);
void AddFlockWhy(CLI::App& flock, Invocation& invocation);

void AddKeys(CLI::App& app, Invocation& invocation);
void AddRules(CLI::App& app, Invocation& invocation);
void AddHorde(CLI::App& app, Invocation& invocation);

void AddMembers(CLI::App& app, Invocation& invocation);
void AddServices(CLI::App& app, Invocation& invocation);
void AddGet(CLI::App& app, Invocation& invocation);
void AddApply(CLI::App& app, Invocation& invocation);
void AddStatus(CLI::App& app, Invocation& invocation);
void AddPut(CLI::App& app, Invocation& invocation);
void AddFetch(CLI::App& app, Invocation& invocation);

}  // namespace radix::cli
