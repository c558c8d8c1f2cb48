#include "tests/sim/scenario.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "absl/status/status.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr const Scenario* kScenarios[] = {
    &kColdStart, &kIdle,     &kPartition, &kRestarts, &kRackFailure, &kGray,  &kIslands,
    &kChurn,     &kRotation, &kBlocs,     &kReplay,   &kInsider,     &kSwarm, &kOverload};

ClusterOptions OptionsFor(const ScenarioOptions& options) {
  ClusterOptions cluster;
  cluster.nodes = options.nodes;
  cluster.density = options.density;
  cluster.at_most = options.at_most;
  cluster.network.loss = options.loss;
  if (options.buffer_bytes > 0) cluster.processors.buffer_bytes = options.buffer_bytes;
  cluster.seed = options.seed;
  return cluster;
}

absl::Status Check(const ScenarioOptions& options) {
  if (options.nodes < 1 || options.nodes > 100000) {
    return absl::InvalidArgumentError("nodes: must be in [1, 100000]");
  }
  if (options.density <= 0.0001 || options.density > 1) {
    return absl::InvalidArgumentError("density: must be in (0.0001, 1]");
  }
  if (options.loss < 0 || options.loss >= 1) {
    return absl::InvalidArgumentError("loss: must be in [0, 1)");
  }
  if (options.at_most != 0 && options.at_most < options.nodes) {
    return absl::InvalidArgumentError("at_most: must be at least the number of nodes");
  }
  if (options.load <= 0) return absl::InvalidArgumentError("load: must be positive");
  if (options.length < 0ms || options.boot_spread < 0ms) {
    return absl::InvalidArgumentError("length, boot_spread: must not be negative");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> Scenarios() {
  std::vector<std::pair<std::string_view, std::string_view>> list;
  for (const Scenario* const scenario : kScenarios)
    list.emplace_back(scenario->name, scenario->what);
  return list;
}

absl::StatusOr<ScenarioResult> RunScenario(const ScenarioOptions& options) {
  const auto* const found = std::ranges::find(kScenarios, options.name, &Scenario::name);
  if (found == std::end(kScenarios)) {
    return absl::InvalidArgumentError("scenario: there is none called '" + options.name + "'");
  }
  if (absl::Status status = Check(options); !status.ok()) return status;
  const Scenario& scenario = **found;
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_begin = std::clock();
  ClusterOptions cluster = OptionsFor(options);
  if (scenario.prepare != nullptr) scenario.prepare(cluster);
  Course course(options, cluster);
  scenario.run(course);
  course.Measure();
  ScenarioResult result = course.result();
  result.seed = options.seed;
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.cpu_s = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  return result;
}

}  // namespace radix::sim
