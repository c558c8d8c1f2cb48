#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

double BytesSent(Cluster& cluster) {
  double bytes = 0;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    bytes += static_cast<double>(cluster.flock(i).counters().sent_bytes);
  }
  return bytes;
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  cluster.RunFor(10s);
  const double before = BytesSent(cluster);
  const Duration length = course.Length(30s);
  cluster.RunFor(length);
  course.result().idle_bytes_per_node_s = (BytesSent(cluster) - before) /
                                          static_cast<double>(cluster.size()) /
                                          (static_cast<double>(length.count()) / 1e9);
  course.AwaitConvergence();
}

}  // namespace

const Scenario kIdle = {
    .name = "idle",
    .what = "nothing happens, for --length (30 s)",
    .run = Run,
    .uses_length = true,
};

}  // namespace radix::sim
