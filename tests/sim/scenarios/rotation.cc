#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/key_operator.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

using flock::KeyStep;

constexpr Duration kPeriod = 4s;

void Prepare(ClusterOptions& options) {
  options.tunables.key_period = kPeriod;
  options.tunables.key_grace = 2 * kPeriod;
}

// The transient key rotates, while `awake` crash and boot one after another.
void RotateTransient(Course& course, const std::vector<std::size_t>& awake) {
  Cluster& cluster = course.cluster();
  std::set<std::uint32_t> keys;
  const Instant end = cluster.now() + course.Length(40s);
  for (std::size_t i = 0; cluster.now() < end; i = (i + 1) % awake.size()) {
    cluster.Crash(awake[i]);
    cluster.Boot(awake[i]);
    for (int step = 0; step < 20; ++step) {
      cluster.RunFor(100ms);
      keys.insert(cluster.flock(awake[i]).transient_key_id());
    }
  }
  if (keys.size() < 3) course.Violate("the keys hardly rotate: " + std::to_string(keys.size()));
}

// A person rotates the secondary key once, while `absent` is without power; the leader loses it in
// one of the phases. Both come back when all is done, with the key files that they had.
void RotateSecondary(Course& course, std::size_t absent) {
  Cluster& cluster = course.cluster();
  // Not OneLeader: those who sleep know of none.
  if (!cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, Course::kLimit)) {
    return course.Violate("no leader to rotate the secondary key");
  }
  cluster.Crash(absent);
  KeyOperator person(cluster);
  if (!cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, Course::kLimit)) {
    cluster.Boot(absent);
    return course.Violate("no leader to rotate the secondary key while a node is off");
  }
  const std::uint32_t from = person.CurrentKey();
  const auto dies_in = static_cast<KeyStep>(1 + course.random().Below(3));
  std::size_t dead = absent;
  for (const KeyStep step : {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove}) {
    if (step == dies_in && cluster.Leader()) {
      dead = *cluster.Leader();
      person.Ask(dead, {step, from, false, 0});
      // Nobody, some or all have heard of it.
      cluster.RunFor(course.random().Between(0ms, 3ms));
      cluster.Crash(dead);
    }
    if (person.Do(step, from, Course::kLimit)) continue;
    course.Violate("a phase of the secondary key's rotation was not done in time");
    break;
  }
  cluster.Boot(absent);
  if (dead != absent) cluster.Boot(dead);
}

void AwaitOneRing(Course& course) {
  const KeyOperator person(course.cluster());
  if (course.cluster().RunUntilTrue([&] { return person.OneRing(); }, 10s)) return;
  course.Violate("key files differ after the rotation");
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  std::vector<std::size_t> awake = course.SomeNodes(std::max<std::size_t>(2, cluster.size() / 10));
  // Half of them sleep through it all.
  std::vector<std::size_t> asleep;
  while (asleep.size() < awake.size()) {
    asleep.push_back(awake.back());
    awake.pop_back();
  }
  for (const std::size_t sleeper : asleep) {
    cluster.SetSick(sleeper, true);
    cluster.Pause(sleeper);
  }
  RotateTransient(course, awake);
  if (cluster.size() >= 9) RotateSecondary(course, awake.front());
  for (const std::size_t sleeper : asleep) cluster.Resume(sleeper);
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
  AwaitOneRing(course);
}

}  // namespace

const Scenario kRotation = {
    .name = "rotation",
    .what =
        "transient keys rotate every 4 s, for --length (40 s), while some "
        "sleep through all of it and some boot; then the secondary key, by "
        "command, while a node is off and the leader dies in one of the phases",
    .prepare = Prepare,
    .run = Run,
    .nodes_least = 5,
    .uses_length = true,
};

}  // namespace radix::sim
