// Random faults upon a cluster, for a while.

#pragma once

#include <cstddef>
#include <optional>

#include "services/confab/random.h"
#include "services/confab/time.h"
#include "tests/sim/ambush.h"
#include "tests/sim/cluster.h"

namespace radix::sim {

// Crashes, reboots, pauses, partitions of several shapes, single cut links and bad seconds of the
// network, drawn from the cluster's seed: which kinds, and how often, differs from seed to seed.
// Not thread-safe.
class Faults {
 public:
  explicit Faults(Cluster& cluster);

  // About so many of them, in [0, 1], are made for leaders from now on: see Ambush.
  void Aim(double share);

  // Makes faults for `duration`, one every fraction of a second.
  void Run(Duration duration);
  // Ends them all: everybody is up, and hears everybody, with a loss of 1 % at most.
  void Stop();

 private:
  void MakeOne();
  void CrashOrBoot();
  void PauseOrResume();
  void Part();
  void CutLinks();
  void Worsen();
  std::size_t AnyNode() { return random_.Below(cluster_.size()); }

  Cluster& cluster_;
  Random random_;
  Duration pace_;
  double weights_[5];
  std::optional<Ambush> ambush_;
  double aimed_ = 0;
};

}  // namespace radix::sim
