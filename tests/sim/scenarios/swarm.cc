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

// Most are short: a bloc that is just powering up, or has lost a leader a moment ago, has the most
// to get wrong, and many short courses show more than few long ones. Half take less than 2 s, a
// quarter 2 to 4 s, and so on.
Duration AnyLength(Random& random) {
  Duration least = 1s;
  while (least < 16s && random.Chance(0.5)) least *= 2;
  return random.Between(least, 2 * least);
}

void Run(Course& course) {
  const Duration length = course.Length(AnyLength(course.random()));
  course.BootAll();
  Faults faults(course.cluster());
  faults.Run(length);
  faults.Stop();
  course.AwaitConvergence();
}

}  // namespace

const Scenario kSwarm = {
    "swarm", "random faults of every kind, for --length (1 to 32 s, mostly short); then none",
    Prepare, Run};

}  // namespace radix::sim
