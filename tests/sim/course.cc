#include "tests/sim/course.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace radix::sim {
namespace {

double Milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

void Course::BootAll() {
  std::vector<std::pair<Duration, std::size_t>> boots;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    boots.emplace_back(random().Between(0ms, options_.boot_spread), i);
  }
  std::ranges::sort(boots);
  const Instant begin = cluster_.now();
  for (const auto& [delay, i] : boots) {
    cluster_.RunUntil(begin + delay);
    cluster_.Boot(i);
  }
}

void Course::BootRest() {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (!cluster_.up(i)) cluster_.Boot(i);
  }
}

bool Course::AwaitConvergence(Duration limit) {
  const Instant begin = cluster_.now();
  result_.view_ms = result_.sealed_ms = -1;
  result_.converged = cluster_.RunUntilTrue(
      [&] {
        const double passed = Milliseconds(cluster_.now() - begin);
        const bool view = cluster_.OneView();
        const bool leader = cluster_.OneLeader();
        if (!view) result_.view_ms = -1;
        if (!leader) result_.sealed_ms = -1;
        if (view && result_.view_ms < 0) result_.view_ms = passed;
        if (leader && result_.sealed_ms < 0) result_.sealed_ms = passed;
        return view && leader;
      },
      limit);
  return result_.converged;
}

bool Course::AwaitView(Duration limit) {
  return cluster_.RunUntilTrue([&] { return cluster_.OneView(); }, limit);
}

bool Course::ColdStart() {
  BootAll();
  if (!AwaitConvergence()) return false;
  cluster_.RunFor(2s);
  return true;
}

void Course::Violate(const std::string& what) {
  cluster_.invariants().Report(cluster_.now(), what);
}

std::vector<std::size_t> Course::SomeNodes(std::size_t count) {
  std::vector<std::size_t> nodes(cluster_.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = i;
  random().Shuffle(nodes);
  nodes.resize(count);
  return nodes;
}

void Course::Measure() {
  double probes = 0;
  double bytes = 0;
  double held = 0;
  double known = 0;
  std::size_t up = 0;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const bool led = cluster_.invariants(cluster_.bloc_of(i)).led(i);
    std::uint32_t& most = led ? result_.datagrams_max_200ms_leader : result_.datagrams_max_200ms;
    most = std::max(most, cluster_.traffic().most(i));
    result_.views_max = std::max(result_.views_max, cluster_.traffic().views(i));
    if (!cluster_.up(i)) continue;
    const flock::Counters& counters = cluster_.flock(i).counters();
    ++up;
    probes += static_cast<double>(counters.blind_probes);
    const auto sent = static_cast<double>(counters.sent_bytes);
    bytes += sent;
    result_.bytes_per_node_max = std::max(result_.bytes_per_node_max, sent);
    held += static_cast<double>(cluster_.flock(i).member_memory_bytes());
    known += cluster_.flock(i).live_count();
  }
  if (up > 0) {
    result_.bytes_per_node_mean = bytes / static_cast<double>(up);
    result_.blind_probes_mean = probes / static_cast<double>(up);
    result_.member_bytes_mean = held / known;
  }
  const std::vector<Duration> removals = cluster_.health().RemovalTimes();
  if (!removals.empty()) {
    result_.removal_ms_p50 = Milliseconds(removals[removals.size() / 2]);
    result_.removal_ms_p99 = Milliseconds(removals[removals.size() * 99 / 100]);
    result_.removal_ms_max = Milliseconds(removals.back());
  }
  result_.healthy_removed = cluster_.health().wrong_removals();
  result_.healthy_removed_by_sick = cluster_.health().wrong_removals_by_sick();
  if (wrong_removals_forbidden_ && result_.healthy_removed > 0) {
    Violate(std::to_string(result_.healthy_removed) + " times a healthy node was removed");
  }
  result_.trace_hash = cluster_.trace_hash();
  result_.violation_count = cluster_.violation_count();
  result_.violations = cluster_.Violations();
}

}  // namespace radix::sim
