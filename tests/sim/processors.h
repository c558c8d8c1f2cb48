// Processors that all nodes share: who has one when, and what waits meanwhile.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/flock.h"
#include "tests/sim/event_queue.h"

namespace radix::sim {

struct ProcessorOptions {
  std::size_t count = 0;  // 0: whatever is to be done is done at once, and costs nothing
  double speed = 1;       // of each, where 1 is what the costs in processors.cc were measured on
  // Of each node's socket, as Linux counts what waits in it: twice net.core.rmem_max, which was
  // 212,992 for long.
  std::size_t buffer_bytes = 425984;
};

// Work waits in a queue for each node; what its socket cannot hold is lost. Nodes are served in
// turn: one that has a processor keeps it while it has work, for a time slice at most. Costs are
// known once a piece of work was done, and then the processor is busy for so long. Not thread-safe.
class Processors {
 public:
  struct Waiting {
    Step step;
    std::size_t size = 0;  // of a datagram, as the socket counts it
  };

  Processors(const ProcessorOptions& options, std::size_t nodes);

  bool shared() const { return options_.count > 0; }
  // From the next piece of work on.
  void set_speed(double speed) { options_.speed = speed; }
  double speed() const { return options_.speed; }

  // There is work for a node; a datagram of `bytes`, or something else if 0. False: it is lost.
  bool Add(const Step& work, std::size_t bytes);
  // A node that may begin now, because it waits and a processor is free; if there is one.
  std::optional<std::uint32_t> Begin();
  // Takes the next piece of work of `node`, which has a processor.
  Step Take(std::uint32_t node, Instant now);
  // What it cost, by what its flock counted before and after; `node` has the processor for so long.
  Duration Charge(std::uint32_t node, const Step& work, bool door, const flock::Counters& before,
                  const flock::Counters& after);
  // That time is over. The node that has the same processor next, if any wants it.
  std::optional<std::uint32_t> Next(std::uint32_t node);
  // The process of `node` ended: what waits for it is lost. Returns that.
  std::deque<Waiting> Forget(std::uint32_t node);

  // Since the last call: the share of all processors that was used, and the longest that anything
  // waited for one.
  struct Use {
    double share = 0;
    Duration late_most{};
    std::uint64_t lost = 0;  // datagrams that no buffer could hold
  };
  Use TakeUse(Instant now);

 private:
  struct Node {
    std::deque<Waiting> work;
    std::size_t buffered = 0;
    bool waits = false;  // for a processor
    bool runs = false;
    Duration slice{};  // that it has had
  };

  ProcessorOptions options_;
  std::vector<Node> nodes_;
  std::deque<std::uint32_t> line_;  // of nodes that wait
  std::size_t free_ = 0;            // processors
  Instant since_{};
  Duration busy_{};
  Duration late_most_{};
  std::uint64_t lost_ = 0;
};

}  // namespace radix::sim
