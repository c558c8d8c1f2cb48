// Named simulations, and what they measure.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/time.h"

namespace radix::sim {

// What a scenario has no use for stays 0.
struct ScenarioOptions {
  std::string name = "cold-start";
  std::size_t nodes = 100;
  double density = 0.5;
  double loss = 0;
  std::uint32_t at_most = 0;  // 0: `nodes`
  std::uint64_t seed = 1;
  Duration boot_spread = 500ms;  // all boot within this
  Duration length{};             // of the scenario's main part; 0: its own choice
  std::uint64_t count = 0;       // of what it repeats; 0: its own choice
  double load = 0.6;             // where processors are shared: how much of them idle nodes need
  std::size_t buffer_bytes = 0;  // there: of a socket; 0: as ProcessorOptions
};

// Times are virtual; nodes count from 0.
struct ScenarioResult {
  std::uint64_t seed = 0;
  bool converged = false;  // one view, and one sealed leader, in time
  double view_ms = -1;     // from the last boot, or the end of the faults, to one view; -1: never
  double sealed_ms = -1;   // the same, to one sealed leader known to all
  // From a crash to its removal from every view, where nodes crash.
  double removal_ms_p50 = -1;
  double removal_ms_p99 = -1;
  double removal_ms_max = -1;
  // Removals of nodes that were well: by nodes that were, too, and by nodes that were not. Nodes on
  // two sides of a partition take each other for dead with good reason, and count here all the
  // same.
  std::uint64_t healthy_removed = 0;
  std::uint64_t healthy_removed_by_sick = 0;
  // Datagrams that were sent again, as they were or altered; those of them that changed a node; and
  // apart from both, those that had not been taken when they first came, and now were.
  std::uint64_t replays = 0;
  std::uint64_t replays_that_changed = 0;
  std::uint64_t replays_late = 0;
  std::uint64_t sealings = 0;  // how often a leader was sealed while faults ran; swarm only
  double cold_start_ms = -1;   // from the last boot to both, at first; -1: never, or not measured
  // Where processors are shared, the share of them that was used; -1: they are not.
  double processors_idle = -1;        // when nothing happened
  double processors_overloaded = -1;  // of what was left of them
  double processors_end = -1;         // once it converged again
  // There, the longest that a node waited for one: when nothing happened, and in the overload.
  double late_ms_idle = -1;
  double late_ms_overloaded = -1;
  double idle_bytes_per_node_s = -1;  // sent, where that is measured
  // Sent by the nodes that are up at the end, each since its boot. In cold-start the end is when it
  // converged.
  double bytes_per_node_mean = 0;
  double bytes_per_node_max = 0;
  double blind_probes_mean = 0;
  std::uint32_t datagrams_max_200ms = 0;         // into any node that never led
  std::uint32_t datagrams_max_200ms_leader = 0;  // into those that did
  std::uint32_t views_max = 0;   // different views that one node had, one after another
  double member_bytes_mean = 0;  // held by a node for each live member that it knows
  std::uint64_t trace_hash = 0;  // the same in any two runs of one program with the same options
  double wall_s = 0;
  double cpu_s = 0;
  std::uint64_t violation_count = 0;
  std::vector<std::string> violations;  // the texts of the first of them, 20 of each bloc
};

// The scenarios there are, each as its name and what happens in it.
std::vector<std::pair<std::string_view, std::string_view>> Scenarios();

// The command that runs the same once more, on one line.
std::string CommandOf(const ScenarioOptions& options);

// Runs one. InvalidArgument, naming the flag, if there is none of that name, or the options make no
// sense, or are not for it.
absl::StatusOr<ScenarioResult> RunScenario(const ScenarioOptions& options);

}  // namespace radix::sim
