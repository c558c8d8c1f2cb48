#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

std::size_t Blocs(std::size_t nodes) { return std::clamp<std::size_t>(nodes / 3, 1, 4); }

std::string Check(const ScenarioOptions& options) {
  const std::size_t least = options.nodes / Blocs(options.nodes);
  if (options.at_most / 2 < least) return "";
  return "--at-most: of so many, " + std::to_string(least) + " nodes of a bloc are no quorum";
}

void Prepare(ClusterOptions& options) {
  options.blocs = Blocs(options.nodes);
  // The name alone must keep them apart.
  options.one_key = options.seed % 2 == 0;
}

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  const std::vector<std::size_t> nodes = course.SomeNodes(cluster.size());
  for (std::size_t i = 0; i + 1 < std::max<std::size_t>(2, nodes.size() / 10); i += 2) {
    cluster.Crash(nodes[i]);
    cluster.Crash(nodes[i + 1]);
    cluster.SwapAddresses(nodes[i], nodes[i + 1]);
    cluster.RunFor(course.random().Between(0ms, 200ms));
    cluster.Boot(nodes[i]);
    cluster.Boot(nodes[i + 1]);
  }
  course.AwaitConvergence();
}

}  // namespace

const Scenario kBlocs = {
    .name = "blocs",
    .what =
        "up to four blocs share one range and port; machines move from one to another and keep "
        "their addresses",
    .prepare = Prepare,
    .run = Run,
    .nodes_least = 3,
    .check = Check,
};

}  // namespace radix::sim
