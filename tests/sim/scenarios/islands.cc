#include <utility>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  std::vector<std::uint8_t> side(cluster.size());
  for (std::size_t i = 0; i < cluster.size() / 2; ++i) side[i] = 1;
  course.random().Shuffle(side);
  cluster.network().Partition(std::move(side), false);
  course.BootAll();
  cluster.RunFor(course.Length(10s));
  cluster.network().Heal();
  course.AwaitConvergence();
}

}  // namespace

const Scenario kIslands = {
    .name = "islands",
    .what = "two halves power up apart, and meet after --length (10 s)",
    .run = Run,
    .nodes_least = 2,
    .uses_length = true,
};

}  // namespace radix::sim
