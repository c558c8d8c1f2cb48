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

// Half take less than 2 s, a quarter 2 to 4 s, and so on: many short courses show more than few
// long ones.
Duration AnyLength(Random& random) {
  Duration least = 1s;
  while (least < 16s && random.Chance(0.5)) least *= 2;
  return random.Between(least, 2 * least);
}

void RunFaults(Course& course, Faults& faults, Duration length) {
  const Invariants& invariants = course.cluster().invariants();
  const std::uint64_t before = invariants.sealings();
  faults.Run(length);
  course.result().sealings = invariants.sealings() - before;
  faults.Stop();
  course.AwaitConvergence();
}

// While it powers up, a bloc has much to get wrong; but nobody grants a lease for the first 3 s, so
// that few of these courses have a leader at all.
void RunAtBoot(Course& course) {
  const Duration length = course.Length(AnyLength(course.random()));
  course.BootAll();
  Faults faults(course.cluster());
  RunFaults(course, faults, length);
}

void Run(Course& course) {
  if (course.options().seed % 4 == 0) return RunAtBoot(course);
  Random& random = course.random();
  const Duration length = course.Length(random.Between(4s, 10s));
  course.BootAll();
  // The first leader is sealed about 3 s after the boots.
  course.cluster().RunFor(random.Between(2s, 4s));
  Faults faults(course.cluster());
  faults.Aim(random.Chance(0.3) ? 0.5 : 0.9);
  RunFaults(course, faults, length);
}

}  // namespace

const Scenario kSwarm = {
    .name = "swarm",
    .what =
        "random faults, many of them made for leaders, for --length (4 to 10 s), from 2 to 4 s "
        "after power-on; then none. Every fourth seed: as swarm-at-boot",
    .prepare = Prepare,
    .run = Run,
    .nodes_least = 3,
    .uses_length = true,
};

const Scenario kSwarmAtBoot = {
    .name = "swarm-at-boot",
    .what =
        "random faults of every kind from power-on, for --length (1 to 32 s, mostly short); then "
        "none",
    .prepare = Prepare,
    .run = RunAtBoot,
    .nodes_least = 3,
    .uses_length = true,
};

}  // namespace radix::sim
