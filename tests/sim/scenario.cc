#include "tests/sim/scenario.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"

namespace radix::sim {
namespace {

constexpr Duration kBootSpread = 500ms;
constexpr Duration kLimit = 60s;

double Milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

// Boots all nodes within kBootSpread, in a random order.
void BootAll(Cluster& cluster) {
  std::vector<std::pair<Duration, std::size_t>> boots;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    boots.emplace_back(cluster.random().Between(0ms, kBootSpread), i);
  }
  std::ranges::sort(boots);
  const Instant begin = cluster.now();
  for (const auto& [delay, node] : boots) {
    cluster.RunUntil(begin + delay);
    cluster.Boot(node);
  }
}

// Waits for one view and one leader, and notes when each was reached first and held to the end.
void AwaitConvergence(Cluster& cluster, Duration limit, ScenarioResult& result) {
  const Instant begin = cluster.now();
  result.view_ms = result.sealed_ms = -1;
  result.converged = cluster.RunUntilTrue(
      [&] {
        const double passed = Milliseconds(cluster.now() - begin);
        const bool view = cluster.OneView();
        const bool leader = cluster.OneLeader();
        if (!view) result.view_ms = -1;
        if (!leader) result.sealed_ms = -1;
        if (view && result.view_ms < 0) result.view_ms = passed;
        if (leader && result.sealed_ms < 0) result.sealed_ms = passed;
        return view && leader;
      },
      limit);
}

void ColdStart(Cluster& cluster, ScenarioResult& result) {
  BootAll(cluster);
  AwaitConvergence(cluster, kLimit, result);
}

// Two parts, of which the greater counts a quorum; then they meet again.
void Partition(Cluster& cluster, ScenarioResult& result) {
  ColdStart(cluster, result);
  if (!result.converged) return;
  cluster.RunFor(2s);
  std::vector<std::uint8_t> side(cluster.size());
  for (std::size_t i = 0; i < cluster.size() * 2 / 5; ++i) side[i] = 1;
  cluster.random().Shuffle(side);
  cluster.network().Partition(side, cluster.random().Chance(0.25));
  cluster.RunFor(15s);
  cluster.network().Heal();
  AwaitConvergence(cluster, kLimit, result);
}

// A tenth of the nodes, the leader among them, crash at once and come back later, half of those
// without their disks; then single ones.
void Restarts(Cluster& cluster, ScenarioResult& result) {
  ColdStart(cluster, result);
  if (!result.converged) return;
  cluster.RunFor(2s);
  std::vector<std::size_t> victims;
  if (const auto leader = cluster.Leader()) victims.push_back(*leader);
  while (victims.size() < std::max<std::size_t>(1, cluster.size() / 10)) {
    const std::size_t node = cluster.random().Below(cluster.size());
    if (std::ranges::count(victims, node) == 0) victims.push_back(node);
  }
  for (const std::size_t node : victims) cluster.Crash(node);
  const Instant crash = cluster.now();
  if (cluster.RunUntilTrue([&] { return cluster.OneView(); }, kLimit)) {
    result.removal_ms_p99 = Milliseconds(cluster.now() - crash);
  }
  cluster.RunFor(3s);
  for (const std::size_t node : victims) {
    if (cluster.random().Chance(0.5)) cluster.WipeDisk(node);
    cluster.RunFor(cluster.random().Between(0ms, 100ms));
    cluster.Boot(node);
  }
  AwaitConvergence(cluster, kLimit, result);
}

// Random faults; then they stop, and everything must be well again.
void Swarm(Cluster& cluster, ScenarioResult& result) {
  BootAll(cluster);
  Faults faults(cluster);
  faults.Run(30s);
  faults.Stop();
  AwaitConvergence(cluster, kLimit, result);
}

struct Scenario {
  std::string_view name;
  void (*run)(Cluster&, ScenarioResult&);
};
constexpr Scenario kScenarios[] = {
    {"cold-start", ColdStart}, {"partition", Partition}, {"restarts", Restarts}, {"swarm", Swarm}};

ClusterOptions OptionsFor(const ScenarioOptions& options) {
  ClusterOptions cluster;
  cluster.nodes = options.nodes;
  cluster.density = options.density;
  cluster.at_most = options.at_most;
  cluster.network.loss = options.loss;
  cluster.seed = options.seed;
  cluster.tunables = options.tunables;
  if (options.false_at_most != 0) cluster.at_most = options.false_at_most;
  if (options.name != "swarm") return cluster;
  Random random(options.seed);
  cluster.drift_ppm = 10000;
  cluster.with_disk = random.Chance(0.5) ? 1 : 0.5;
  cluster.network.duplication = 0.02;
  cluster.network.delay_probability = 0.05;
  cluster.network.delay_most = random.Chance(0.2) ? Duration(2s) : Duration(50ms);
  cluster.network.replay = 0.02;
  cluster.network.corruption = 0.005;
  return cluster;
}

void Measure(Cluster& cluster, ScenarioResult& result) {
  double probes = 0;
  double bytes = 0;
  double held = 0;
  double known = 0;
  std::size_t up = 0;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (!cluster.up(i)) continue;
    const flock::Counters& counters = cluster.flock(i).counters();
    ++up;
    probes += static_cast<double>(counters.blind_probes);
    const auto sent = static_cast<double>(counters.sent_bytes);
    bytes += sent;
    result.bytes_per_node_max = std::max(result.bytes_per_node_max, sent);
    held += static_cast<double>(cluster.flock(i).member_memory_bytes());
    known += cluster.flock(i).live_count();
    std::uint32_t& most = cluster.invariants().led(i) ? result.datagrams_max_200ms_leader
                                                      : result.datagrams_max_200ms;
    most = std::max(most, cluster.traffic().most(i));
    result.views_max = std::max(result.views_max, cluster.traffic().views(i));
  }
  if (up > 0) {
    result.bytes_per_node_mean = bytes / static_cast<double>(up);
    result.blind_probes_mean = probes / static_cast<double>(up);
    result.member_bytes_mean = held / known;
  }
  result.trace_hash = cluster.trace_hash();
}

}  // namespace

std::vector<std::string_view> ScenarioNames() {
  std::vector<std::string_view> names;
  for (const Scenario& scenario : kScenarios) names.push_back(scenario.name);
  return names;
}

absl::StatusOr<ScenarioResult> RunScenario(const ScenarioOptions& options) {
  const auto* const scenario = std::ranges::find(kScenarios, options.name, &Scenario::name);
  if (scenario == std::end(kScenarios)) {
    return absl::InvalidArgumentError("scenario: there is none called '" + options.name + "'");
  }
  if (options.nodes < 1 || options.nodes > 100000) {
    return absl::InvalidArgumentError("nodes: must be in [1, 100000]");
  }
  if (options.density <= 0.0001 || options.density > 1) {
    return absl::InvalidArgumentError("density: must be in (0.0001, 1]");
  }
  if (options.loss < 0 || options.loss >= 1) {
    return absl::InvalidArgumentError("loss: must be in [0, 1)");
  }
  if (options.at_most != 0 && options.at_most < options.nodes) {
    return absl::InvalidArgumentError("at_most: must be at least the number of nodes");
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_begin = std::clock();
  ScenarioResult result;
  result.seed = options.seed;
  Cluster cluster(OptionsFor(options));
  scenario->run(cluster, result);
  Measure(cluster, result);
  result.violations = cluster.invariants().violations();
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.cpu_s = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  return result;
}

}  // namespace radix::sim
