#include <algorithm>
#include <vector>

#include "tests/sim/faults.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr Duration kLimit = 30s;
constexpr std::uint64_t kRevokedMost = 3;

void Prepare(ClusterOptions& options) {
  Random random(options.seed);
  options.drift_ppm = 10000;
  options.with_disk = random.Chance(0.7) ? 1 : 0.5;
  options.network.duplication = 0.02;
  options.network.delay_probability = 0.05;
  options.network.delay_most = random.Chance(0.2) ? Duration(2s) : Duration(50ms);
}

// Some of those that can, hear of it now.
void TellSome(Cluster& cluster, Random& random) {
  const double share = static_cast<double>(1 + random.Below(4)) / 5;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.up(i) && !cluster.paused(i) && random.Chance(share)) cluster.TellRevoked(i);
  }
}

// The leader mostly; nobody twice.
std::size_t Subject(Course& course) {
  const Cluster& cluster = course.cluster();
  const auto leader = course.cluster().Leader();
  if (leader && !cluster.revoked(*leader) && course.random().Chance(0.6)) return *leader;
  std::size_t subject = course.AnyNode();
  while (cluster.revoked(subject)) subject = course.AnyNode();
  return subject;
}

bool KnowsAll(const Cluster& cluster, std::size_t i) {
  for (std::size_t subject = 0; subject < cluster.size(); ++subject) {
    if (cluster.revoked(subject) && !cluster.KnowsRevoked(i, subject)) return false;
  }
  return true;
}

// What was decided, a quorum has heard in the end; of the others some never.
void TellQuorum(Course& course) {
  Cluster& cluster = course.cluster();
  std::uint32_t know = 0;
  for (const std::size_t i : course.SomeNodes(cluster.size())) {
    if (cluster.revoked(i)) continue;
    if (!KnowsAll(cluster, i) && know < cluster.charter().quorum) cluster.TellRevoked(i);
    if (KnowsAll(cluster, i)) ++know;
  }
}

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  Random& random = course.random();
  course.BootAll();
  cluster.RunFor(random.Between(2s, 4s));
  Faults faults(cluster);
  faults.Aim(random.Chance(0.5) ? 0.3 : 0.7);
  const std::uint64_t sealings = cluster.invariants().sealings();
  // A quorum is left of those who are not.
  const std::uint64_t most = std::min(cluster.size() - cluster.charter().quorum, kRevokedMost);
  for (std::uint64_t count = 1 + random.Below(most); count > 0; --count) {
    if (random.Chance(0.7)) {
      cluster.RunUntilTrue([&] { return cluster.Leader().has_value(); }, 4s);
    }
    cluster.Revoke(Subject(course));
    for (std::uint64_t rounds = 1 + random.Below(4); rounds > 0; --rounds) {
      faults.Run(random.Between(100ms, 1500ms));
      TellSome(cluster, random);
    }
  }
  course.result().sealings = cluster.invariants().sealings() - sealings;
  faults.Stop();
  TellQuorum(course);
  const Instant stopped = cluster.now();
  course.result().converged = cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit);
  course.result().view_ms = course.result().sealed_ms =
      static_cast<double>((cluster.now() - stopped) / 1ms);
  if (!course.result().converged) return;
  cluster.RunFor(5s);
  if (!cluster.OneLeader()) course.Violate("the leader after the revocations did not last");
}

}  // namespace

const Scenario kRevocations = {
    .name = "revocations",
    .what =
        "one to three nodes, leaders mostly, are revoked among faults; some hear of it sooner than "
        "others, some never. Then no faults, and a quorum knows: one leader, not one of those",
    .prepare = Prepare,
    .run = Run,
    .nodes_least = 3,
};

}  // namespace radix::sim
