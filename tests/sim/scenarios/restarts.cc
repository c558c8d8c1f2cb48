#include <algorithm>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  std::vector<std::size_t> victims =
      course.SomeNodes(std::max<std::size_t>(1, cluster.size() / 10));
  if (const auto leader = cluster.Leader()) {
    const auto among = std::ranges::find(victims, *leader);
    if (among != victims.end()) *among = victims.front();
    victims.front() = *leader;
  }
  for (const std::size_t node : victims) cluster.Crash(node);
  if (!course.AwaitView()) course.Violate("the dead were not removed everywhere");
  cluster.RunFor(3s);
  for (const std::size_t node : victims) {
    if (course.random().Chance(0.5)) cluster.WipeDisk(node);
    cluster.RunFor(course.random().Between(0ms, 100ms));
    cluster.Boot(node);
  }
  course.AwaitConvergence();
}

}  // namespace

const Scenario kRestarts = {
    .name = "restarts",
    .what =
        "a tenth, the leader among them, crash at once and come back one by one, half without "
        "disks",
    .run = Run,
    .nodes_least = 3,
};

}  // namespace radix::sim
