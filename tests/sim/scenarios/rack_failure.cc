#include <algorithm>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

// A tenth of the nodes, or as many as asked for, from a random address on.
std::vector<std::size_t> Rack(Course& course) {
  Cluster& cluster = course.cluster();
  std::vector<std::size_t> nodes = course.SomeNodes(cluster.size());
  const std::uint32_t slots = cluster.charter().ranges.size();
  const auto first = static_cast<std::uint32_t>(course.random().Below(slots));
  std::ranges::sort(nodes, {},
                    [&](std::size_t i) { return (cluster.slot(i) + slots - first) % slots; });
  const std::size_t asked = course.options().count;
  nodes.resize(std::clamp<std::size_t>(asked > 0 ? asked : nodes.size() / 10, 1, nodes.size()));
  return nodes;
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  const std::vector<std::size_t> rack = Rack(course);
  for (const std::size_t node : rack) cluster.Crash(node);
  course.AwaitConvergence();
  cluster.RunFor(course.Length(3s));
  for (const std::size_t node : rack) cluster.Boot(node);
  course.AwaitConvergence();
}

}  // namespace

const Scenario kRackFailure = {"rack-failure",
                               "a tenth of the nodes, or --count, one address after another, "
                               "crash at once; and come back after --length (3 s)",
                               nullptr, Run};

}  // namespace radix::sim
