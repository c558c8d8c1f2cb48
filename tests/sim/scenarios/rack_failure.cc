#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

// A tenth of the nodes, or as many as asked for.
std::size_t RackSize(const ScenarioOptions& options) {
  return options.count > 0 ? options.count : std::max<std::size_t>(1, options.nodes / 10);
}

std::string Check(const ScenarioOptions& options) {
  const std::size_t at_most = options.at_most > 0 ? options.at_most : options.nodes;
  const std::size_t quorum = at_most / 2 + 1;
  if (RackSize(options) <= options.nodes && options.nodes - RackSize(options) >= quorum) return "";
  return "--count: when " + std::to_string(RackSize(options)) + " of " +
         std::to_string(options.nodes) + " crash, no quorum of " + std::to_string(quorum) +
         " is left, and so no leader";
}

// From a random address on.
std::vector<std::size_t> Rack(Course& course) {
  Cluster& cluster = course.cluster();
  std::vector<std::size_t> nodes = course.SomeNodes(cluster.size());
  const std::uint32_t slots = cluster.charter().ranges.size();
  const auto first = static_cast<std::uint32_t>(course.random().Below(slots));
  std::ranges::sort(nodes, {},
                    [&](std::size_t i) { return (cluster.slot(i) + slots - first) % slots; });
  nodes.resize(RackSize(course.options()));
  return nodes;
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  const std::vector<std::size_t> rack = Rack(course);
  for (const std::size_t node : rack) cluster.Crash(node);
  if (!course.AwaitConvergence()) return;
  cluster.RunFor(course.Length(3s));
  for (const std::size_t node : rack) cluster.Boot(node);
  course.AwaitConvergence();
}

}  // namespace

const Scenario kRackFailure = {
    .name = "rack-failure",
    .what =
        "a tenth of the nodes, or --count, one address after another, "
        "crash at once; and come back after --length (3 s)",
    .run = Run,
    .nodes_least = 3,
    .uses_length = true,
    .uses_count = true,
    .check = Check,
};

}  // namespace radix::sim
