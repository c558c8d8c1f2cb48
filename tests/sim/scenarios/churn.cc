#include <algorithm>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

// A hundredth of the nodes in each second.
void Disturb(Course& course) {
  Cluster& cluster = course.cluster();
  const std::size_t node = course.AnyNode();
  if (!cluster.up(node)) {
    cluster.Boot(node);
  } else if (cluster.up_count() * 5 < cluster.size() * 4 || course.random().Chance(0.4)) {
    cluster.Crash(node);
    cluster.Boot(node);  // at once, as a supervisor does
  } else if (course.random().Chance(0.3)) {
    cluster.Leave(node);
  } else {
    cluster.Crash(node);
  }
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  const Instant end = cluster.now() + course.Length(30s);
  const Duration pace = Duration(100s) / static_cast<Duration::rep>(cluster.size());
  while (cluster.now() < end) {
    Disturb(course);
    cluster.RunFor(course.random().Between(pace / 2, pace * 3 / 2));
  }
  course.BootRest();
  course.AwaitConvergence();
}

}  // namespace

const Scenario kChurn = {
    .name = "churn",
    .what = "nodes crash, leave and boot, one in a hundred each second, for --length (30 s)",
    .run = Run,
    .nodes_least = 3,
    .uses_length = true,
};

}  // namespace radix::sim
