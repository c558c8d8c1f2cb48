// Named simulations, and what they measure.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/time.h"
#include "services/flock/config.h"

namespace radix::sim {

struct ScenarioOptions {
  std::string name = "cold-start";
  std::size_t nodes = 100;
  double density = 0.5;
  double loss = 0;
  std::uint32_t at_most = 0;  // 0: `nodes`
  std::uint64_t seed = 1;
  flock::Tunables tunables;         // of the nodes; weakened on purpose by tests
  std::uint32_t false_at_most = 0;  // a lie in the charter, for tests; 0: none
};

// Times are virtual; nodes count from 0.
struct ScenarioResult {
  std::uint64_t seed = 0;
  bool converged = false;  // one view, and one sealed leader, in time
  double view_ms = -1;     // from the last boot, or the end of the faults, to one view; -1: never
  double sealed_ms = -1;   // the same, to one sealed leader known to all
  double removal_ms_p99 = -1;      // from a crash to its removal from every view, where nodes crash
  double bytes_per_node_mean = 0;  // sent until it converged
  double bytes_per_node_max = 0;
  double blind_probes_mean = 0;
  std::uint32_t datagrams_max_200ms = 0;         // into any node that never led
  std::uint32_t datagrams_max_200ms_leader = 0;  // into those that did
  std::uint32_t views_max = 0;   // different views that one node had, one after another
  double member_bytes_mean = 0;  // held by a node for each live member that it knows
  std::uint64_t trace_hash = 0;  // the same in any two runs of one program with the same options
  double wall_s = 0;
  double cpu_s = 0;
  std::vector<std::string> violations;
};

// The scenarios there are.
std::vector<std::string_view> ScenarioNames();

// Runs one. InvalidArgument if there is none of that name, or the options make no sense.
absl::StatusOr<ScenarioResult> RunScenario(const ScenarioOptions& options);

}  // namespace radix::sim
