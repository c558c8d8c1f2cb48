#include <set>
#include <string>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr Duration kPeriod = 4s;

void Prepare(ClusterOptions& options) {
  options.tunables.key_period = kPeriod;
  options.tunables.key_grace = 2 * kPeriod;
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  // Some sleep through it all, others boot in the midst of it.
  const std::vector<std::size_t> some =
      course.SomeNodes(std::max<std::size_t>(2, cluster.size() / 10));
  const std::size_t sleepers = some.size() / 2;
  for (std::size_t i = 0; i < sleepers; ++i) {
    cluster.SetSick(some[i], true);
    cluster.Pause(some[i]);
  }
  std::set<std::uint32_t> keys;
  const Instant end = cluster.now() + course.Length(40s);
  for (std::size_t i = sleepers; cluster.now() < end; ++i) {
    if (i == some.size()) i = sleepers;
    cluster.Crash(some[i]);
    cluster.Boot(some[i]);
    for (int step = 0; step < 20; ++step) {
      cluster.RunFor(100ms);
      keys.insert(cluster.flock(some[i]).transient_key_id());
    }
  }
  if (keys.size() < 3) course.Violate("the keys hardly rotate: " + std::to_string(keys.size()));
  for (std::size_t i = 0; i < sleepers; ++i) cluster.Resume(some[i]);
  course.AwaitConvergence();
  const bool one_key = cluster.RunUntilTrue(
      [&] {
        std::set<std::uint32_t> in_use;
        for (std::size_t i = 0; i < cluster.size(); ++i) {
          in_use.insert(cluster.flock(i).transient_key_id());
        }
        return in_use.size() == 1;
      },
      2 * kPeriod);
  if (!one_key) course.Violate("nodes use different transient keys");
}

}  // namespace

const Scenario kRotation = {"rotation",
                            "transient keys rotate every 4 s, for --length (40 s), while some "
                            "sleep through all of it and some boot",
                            Prepare, Run};

}  // namespace radix::sim
