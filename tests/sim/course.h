// One run of a scenario: the cluster it happens to, and what came of it.

#pragma once

#include <cstddef>
#include <string>

#include "services/confab/random.h"
#include "services/confab/time.h"
#include "tests/sim/cluster.h"
#include "tests/sim/scenario.h"

namespace radix::sim {

// What all scenarios do: power up, wait until all is well, and measure. Not thread-safe.
class Course {
 public:
  static constexpr Duration kLimit = 60s;

  Course(const ScenarioOptions& options, const ClusterOptions& cluster)
      : options_(options), cluster_(cluster) {}

  const ScenarioOptions& options() const { return options_; }
  Cluster& cluster() { return cluster_; }
  Random& random() { return cluster_.random(); }
  ScenarioResult& result() { return result_; }

  // How long the scenario's main part takes: as asked for, else `otherwise`.
  Duration Length(Duration otherwise) const {
    return options_.length > 0ms ? options_.length : otherwise;
  }

  // Boots all nodes within the boot spread, in a random order.
  void BootAll();
  // Boots those that are down, all at once.
  void BootRest();
  // Waits for one view and one leader of each bloc, and notes when each was reached and held to the
  // end. Returns whether both were.
  bool AwaitConvergence(Duration limit = kLimit);
  // Powers up, waits, and lets it settle for a moment.
  bool ColdStart();
  // Returns whether all lists were right within `limit`.
  bool AwaitView(Duration limit = kLimit);

  // Something must be so, and is not.
  void Violate(const std::string& what);
  // In this scenario nobody who is well may be removed from the list of anybody who is well.
  void ForbidWrongRemovals() { wrong_removals_forbidden_ = true; }

  std::size_t AnyNode() { return static_cast<std::size_t>(random().Below(cluster_.size())); }
  // `count` different nodes, in a random order. Requires: there are so many.
  std::vector<std::size_t> SomeNodes(std::size_t count);

  // Takes the figures of the whole run. Call last.
  void Measure();

 private:
  ScenarioOptions options_;
  Cluster cluster_;
  ScenarioResult result_;
  bool wrong_removals_forbidden_ = false;
};

}  // namespace radix::sim
