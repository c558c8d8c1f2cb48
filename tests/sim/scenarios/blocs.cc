#include <algorithm>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

void Prepare(ClusterOptions& options) {
  options.blocs = std::clamp<std::size_t>(options.nodes / 3, 1, 4);
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
    "blocs",
    "up to four blocs share one range and port; machines move from one to another and keep their "
    "addresses",
    Prepare, Run};

}  // namespace radix::sim
