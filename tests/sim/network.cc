#include "tests/sim/network.h"

#include <algorithm>

namespace radix::sim {

Network::Network(std::size_t nodes, const NetworkOptions& options, std::uint64_t seed)
    : options_(options), random_(seed), side_(nodes, 0), node_loss_(nodes, {0.0, 0.0}) {}

bool Network::Connected(std::size_t from, std::size_t to) const {
  if (side_[from] != side_[to] && !(one_way_ && side_[from] == 0)) return false;
  return cuts_.empty() || !cuts_.contains({from, to});
}

Network::Fate Network::Send(std::size_t from, std::size_t to) {
  Fate fate;
  if (!Connected(from, to)) return fate;
  if (options_.loss > 0 && random_.Chance(options_.loss)) return fate;
  const double extra = std::max(node_loss_[from].second, node_loss_[to].first);
  if (extra > 0 && random_.Chance(extra)) return fate;
  fate.copies = options_.duplication > 0 && random_.Chance(options_.duplication) ? 2 : 1;
  for (std::size_t i = 0; i < fate.copies; ++i) {
    fate.delays[i] = random_.Between(options_.latency_least, options_.latency_most);
    if (options_.delay_probability > 0 && random_.Chance(options_.delay_probability)) {
      fate.delays[i] += random_.Between(0ms, options_.delay_most);
    }
  }
  return fate;
}

void Network::Partition(std::vector<std::uint8_t> side, bool one_way) {
  side_ = std::move(side);
  one_way_ = one_way;
}

void Network::Heal() {
  std::fill(side_.begin(), side_.end(), std::uint8_t{0});
  std::fill(node_loss_.begin(), node_loss_.end(), std::pair(0.0, 0.0));
  cuts_.clear();
  one_way_ = false;
}

}  // namespace radix::sim
