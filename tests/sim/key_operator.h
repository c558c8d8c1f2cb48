// A person who rotates the secondary key of a simulated bloc, as `radix keys rotate` does.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "services/flock/key_order.h"
#include "tests/sim/cluster.h"

namespace radix::sim {

// Takes over the cluster's on_key_answer. Not thread-safe.
class KeyOperator {
 public:
  explicit KeyOperator(Cluster& cluster);
  ~KeyOperator() { cluster_.on_key_answer = nullptr; }
  KeyOperator(const KeyOperator&) = delete;
  KeyOperator& operator=(const KeyOperator&) = delete;

  // Gives node `i` an order and waits for its answer; KeyResult::kNoLeader if the node goes down
  // before. Requires: it is up.
  flock::KeyReport Ask(std::size_t i, const flock::KeyOrder& order);
  // Does one phase of the rotation away from `from`, at whatever node is up, as often as it takes,
  // and waits until everybody has acknowledged it. Returns whether it came to that within `limit`.
  bool Do(flock::KeyStep step, std::uint32_t from, Duration limit = Duration(30s));
  // All three. Away from the key that the leader uses now.
  bool Rotate(Duration limit = Duration(30s));

  // The tag of the key that the sealed leader uses. Requires: there is one.
  std::uint32_t CurrentKey() const;
  // All nodes that are up have the same slots, also in their key files.
  bool OneRing() const;

 private:
  std::size_t AnyNode();

  Cluster& cluster_;
  std::uint64_t awaited_ = 0;
  std::optional<flock::KeyReport> answer_;
};

}  // namespace radix::sim
