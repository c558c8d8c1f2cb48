// Faults made for leaders.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/confab/random.h"
#include "services/confab/time.h"
#include "tests/sim/cluster.h"

namespace radix::sim {

// Most faults that befall just anybody in a bloc of fifty change nothing about who leads. These
// befall the sealed leader, or who is about to be, or those from whom it has its leases. Then they
// leave the bloc alone for about as long as a lease lasts, so that another can be sealed. Not
// thread-safe.
class Ambush {
 public:
  // Draws from a stream of its own, begun from `random`.
  Ambush(Cluster& cluster, Random& random);

  // Makes one fault, and lets the bloc see to it, until `end` at most. Sometimes earlier faults end
  // first.
  void Strike(Instant end);

 private:
  void Ease();
  // For some time, or until somebody is sealed; until `end` at most.
  void Await(Instant end);
  void AwaitSealing(Instant end);
  void RunFor(Duration duration, Instant end);
  // The sealed leader; where there is none, and now and then in spite of it, whom some node holds
  // for the first in rank.
  std::size_t Victim();
  void StopIt(std::size_t victim);
  void Isolate(std::size_t victim);
  void Divide(std::size_t victim);
  void RebootOthers(std::size_t victim);
  std::vector<std::size_t> OthersThan(std::size_t node);
  std::size_t AnyNode() { return random_.Below(cluster_.size()); }

  Cluster& cluster_;
  Random random_;
  bool struck_ = false;
};

}  // namespace radix::sim
