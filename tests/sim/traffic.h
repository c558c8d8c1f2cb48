// How much reaches each node, and how often its view of the bloc changes.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/confab/time.h"

namespace radix::sim {

// Counts what arrives in a window of 200 ms that slides in steps of 10 ms. Not thread-safe.
class Traffic {
 public:
  explicit Traffic(std::size_t nodes) : nodes_(nodes) {}

  // A datagram reached `node` at `now`, which never goes backwards.
  void Arrived(std::size_t node, Instant now) {
    Node& n = nodes_[node];
    const std::int64_t step = now.time_since_epoch() / kStep;
    for (std::int64_t s = std::max(n.step + 1, step - kSteps + 1); s <= step; ++s) {
      std::uint32_t& bucket = n.buckets[static_cast<std::size_t>(s % kSteps)];
      n.sum -= bucket;
      bucket = 0;
    }
    n.step = step;
    ++n.buckets[static_cast<std::size_t>(step % kSteps)];
    n.most = std::max(n.most, ++n.sum);
  }

  // `node` lists these members now.
  void Viewed(std::size_t node, std::uint64_t view_hash) {
    Node& n = nodes_[node];
    if (n.view == view_hash) return;
    n.view = view_hash;
    ++n.views;
  }

  // The most datagrams that `node` got within one window.
  std::uint32_t most(std::size_t node) const { return nodes_[node].most; }
  // How many different views it had, one after another.
  std::uint32_t views(std::size_t node) const { return nodes_[node].views; }

 private:
  static constexpr Duration kStep = 10ms;
  static constexpr std::int64_t kSteps = 20;

  struct Node {
    std::array<std::uint32_t, kSteps> buckets{};
    std::uint32_t sum = 0;
    std::uint32_t most = 0;
    std::uint32_t views = 0;
    std::int64_t step = 0;
    std::uint64_t view = 0;
  };
  std::vector<Node> nodes_;
};

}  // namespace radix::sim
