#include <algorithm>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr std::size_t kProcessors = 2;
// What is left of them while others work there, too.
constexpr double kLeft = 0.2;

double Milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

// What the nodes need of the processors when these are fast and nothing happens.
double Need(Course& course) {
  Course rehearsal(course.options(), course.cluster().options());
  rehearsal.ColdStart();
  Cluster& cluster = rehearsal.cluster();
  cluster.RunFor(8s);
  cluster.processors().TakeUse(cluster.now());
  cluster.RunFor(10s);
  return cluster.processors().TakeUse(cluster.now()).share;
}

void Prepare(ClusterOptions& options) { options.processors.count = kProcessors; }

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  Processors& processors = cluster.processors();
  ScenarioResult& result = course.result();
  const double speed = Need(course) / course.options().load;
  processors.set_speed(speed);
  if (!course.ColdStart()) return;
  result.cold_start_ms = std::max(result.view_ms, result.sealed_ms);
  cluster.RunFor(8s);
  processors.TakeUse(cluster.now());
  cluster.RunFor(5s);
  const Processors::Use idle = processors.TakeUse(cluster.now());
  result.processors_idle = idle.share;
  result.late_ms_idle = Milliseconds(idle.late_most);

  processors.set_speed(speed * kLeft);
  cluster.RunFor(course.Length(20s));
  const Processors::Use overloaded = processors.TakeUse(cluster.now());
  result.processors_overloaded = overloaded.share;
  result.late_ms_overloaded = Milliseconds(overloaded.late_most);

  processors.set_speed(speed);
  course.AwaitConvergence();
  cluster.RunFor(5s);
  processors.TakeUse(cluster.now());
  cluster.RunFor(5s);
  result.processors_end = processors.TakeUse(cluster.now()).share;
}

}  // namespace

const Scenario kOverload = {
    .name = "overload",
    .what =
        "two processors for all, of which idle nodes need --load (0.6); a fifth "
        "of that is left for --length (20 s), then all of it again",
    .prepare = Prepare,
    .run = Run,
    .uses_length = true,
    .shares_processors = true,
};

}  // namespace radix::sim
