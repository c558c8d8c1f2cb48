#include <utility>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  std::vector<std::uint8_t> side(cluster.size());
  for (std::size_t i = 0; i < cluster.size() * 2 / 5; ++i) side[i] = 1;
  course.random().Shuffle(side);
  cluster.network().Partition(std::move(side), course.random().Chance(0.25));
  cluster.RunFor(course.Length(15s));
  cluster.network().Heal();
  course.AwaitConvergence();
}

}  // namespace

const Scenario kPartition = {
    .name = "partition",
    .what = "two parts, of which the greater counts a quorum, for --length (15 s)",
    .run = Run,
    .nodes_least = 3,
    .uses_length = true,
};

}  // namespace radix::sim
