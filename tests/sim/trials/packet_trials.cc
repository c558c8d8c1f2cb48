// Trials of what a datagram may do.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/scenario.h"
#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
// Headers are altered on the way, which must not matter to what comes after.
std::string AlteredDatagrams(std::uint64_t seed) {
  Cluster cluster(Nodes(4, seed));
  Lead(cluster);
  const auto taken_for_replays = [&cluster] {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += cluster.flock(i).counters().dropped_replayed;
    return sum;
  };
  cluster.network().options().corruption = 0.05;
  cluster.RunFor(5s);
  cluster.network().options().corruption = 0;
  cluster.RunFor(100ms);  // nothing altered is under way any more
  const std::uint64_t before = taken_for_replays();
  cluster.RunFor(1s);
  if (taken_for_replays() != before) return kTakenForAReplay;
  return Violations(cluster);
}

// What was sent to one node is brought to another.
std::string DatagramsForAnother(std::uint64_t seed) {
  Cluster cluster(Nodes(4, seed));
  Lead(cluster);
  struct Sent {
    std::size_t from;
    std::size_t to;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Sent> recorded;
  cluster.lets_pass = [&](std::size_t from, std::size_t to, Bytes bytes) {
    recorded.push_back({from, to, {bytes.begin(), bytes.end()}});
    return true;
  };
  cluster.RunFor(1s);
  cluster.lets_pass = nullptr;
  for (const Sent& sent : recorded) {
    for (std::size_t node = 0; node < 4; ++node) {
      if (node == sent.from || node == sent.to) continue;
      if (cluster.Inject(cluster.slot(sent.from), node, sent.bytes)) {
        return kTakenByAnother;
      }
    }
  }
  return "";
}

// The scenario that replays, small: that it can notice what it is for.
std::string ACapture(std::uint64_t seed) {
  ScenarioOptions options;
  options.name = "replay";
  options.nodes = 6;
  options.count = 2000;
  options.seed = seed;
  const auto result = RunScenario(options);
  if (!result.ok()) return std::string(result.status().message());
  return result->violations.empty() ? "" : result->violations.front();
}

}  // namespace radix::sim
