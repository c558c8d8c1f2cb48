#include "tests/sim/faults.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

void Prepare(ClusterOptions& options) {
  Random random(options.seed);
  options.drift_ppm = 10000;
  options.with_disk = random.Chance(0.5) ? 1 : 0.5;
  options.network.duplication = 0.02;
  options.network.delay_probability = 0.05;
  options.network.delay_most = random.Chance(0.2) ? Duration(2s) : Duration(50ms);
  options.network.replay = 0.02;
  options.network.corruption = 0.005;
}

void Run(Course& course) {
  course.BootAll();
  Faults faults(course.cluster());
  faults.Run(course.Length(30s));
  faults.Stop();
  course.AwaitConvergence();
}

}  // namespace

const Scenario kSwarm = {"swarm", "random faults of every kind, for --length (30 s); then none",
                         Prepare, Run};

}  // namespace radix::sim
