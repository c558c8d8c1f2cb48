#include <algorithm>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

// What ails the sick: a hundredth of the nodes each, one at least.
struct Sick {
  std::vector<std::size_t> lossy;       // lose 80 % of what they send and are sent
  std::vector<std::size_t> flip_flops;  // hear nothing for 20 s, then are not heard, then are well
  std::vector<std::size_t> stalled;     // stand still for 5 to 30 s, again and again
};

Sick Choose(Course& course) {
  const std::size_t each = std::max<std::size_t>(1, course.cluster().size() / 100);
  const std::vector<std::size_t> nodes = course.SomeNodes(3 * each);
  const auto part = [&](std::size_t i) {
    const auto begin = nodes.begin() + static_cast<std::ptrdiff_t>(i * each);
    return std::vector<std::size_t>(begin, begin + static_cast<std::ptrdiff_t>(each));
  };
  return {part(0), part(1), part(2)};
}

void FlipFlop(Course& course, const Sick& sick, int phase) {
  for (const std::size_t node : sick.flip_flops) {
    course.cluster().network().SetNodeLoss(node, phase % 3 == 0 ? 1 : 0, phase % 3 == 1 ? 1 : 0);
  }
}

void Heal(Course& course, const Sick& sick) {
  Cluster& cluster = course.cluster();
  cluster.network().Heal();
  for (const auto* kind : {&sick.lossy, &sick.flip_flops, &sick.stalled}) {
    for (const std::size_t node : *kind) {
      cluster.Resume(node);
      cluster.SetSick(node, false);
    }
  }
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  const Sick sick = Choose(course);
  for (const auto* kind : {&sick.lossy, &sick.flip_flops, &sick.stalled}) {
    for (const std::size_t node : *kind) cluster.SetSick(node, true);
  }
  for (const std::size_t node : sick.lossy) cluster.network().SetNodeLoss(node, 0.8, 0.8);
  const Instant end = cluster.now() + course.Length(60s);
  std::vector<Instant> stall_ends(sick.stalled.size(), cluster.now());
  Instant next_flip = cluster.now();
  for (int phase = 0; cluster.now() < end; cluster.RunFor(500ms)) {
    if (cluster.now() >= next_flip) {
      FlipFlop(course, sick, phase++);
      next_flip = cluster.now() + 20s;
    }
    for (std::size_t i = 0; i < sick.stalled.size(); ++i) {
      if (cluster.now() < stall_ends[i]) continue;
      const bool stalls = cluster.paused(sick.stalled[i]);
      stall_ends[i] = cluster.now() + course.random().Between(5s, 30s);
      if (stalls) {
        cluster.Resume(sick.stalled[i]);
      } else {
        cluster.Pause(sick.stalled[i]);
      }
    }
  }
  Heal(course, sick);
  course.AwaitConvergence();
}

}  // namespace

const Scenario kGray = {
    .name = "gray",
    .what =
        "some nodes lose 80 %, some flip between deaf and mute, some stall, for --length (60 s); "
        "nobody else may suffer",
    .run = Run,
    .nodes_least = 3,
    .uses_length = true,
};

}  // namespace radix::sim
