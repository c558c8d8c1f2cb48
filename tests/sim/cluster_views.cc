// What a cluster looks like from outside: who is up, who leads, whether all see the same.

#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace radix::sim {

std::size_t Cluster::up_count() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(nodes_, [](const Node& node) { return node.flock.has_value(); }));
}

bool Cluster::OneView() {
  std::vector<std::size_t> counts(blocs_.size());
  for (const Node& node : nodes_) counts[node.bloc] += node.flock ? 1U : 0U;
  std::vector<std::optional<std::uint64_t>> hashes(blocs_.size());
  for (const Node& node : nodes_) {
    if (!node.flock) continue;
    if (node.flock->live_count() != counts[node.bloc]) return false;
    auto& hash = hashes[node.bloc];
    if (hash && node.flock->view_hash() != *hash) return false;
    hash = node.flock->view_hash();
  }
  return true;
}

std::optional<std::size_t> Cluster::Leader(std::size_t bloc) {
  for (std::size_t i = bloc; i < nodes_.size(); i += blocs_.size()) {
    if (nodes_[i].flock && nodes_[i].flock->own_leadership(LocalNow(i))) return i;
  }
  return std::nullopt;
}

bool Cluster::OneLeader() {
  for (std::size_t bloc = 0; bloc < blocs_.size(); ++bloc) {
    const auto leader = Leader(bloc);
    if (!leader || nodes_[*leader].revoked) return false;
    const auto own = nodes_[*leader].flock->own_leadership(LocalNow(*leader));
    for (std::size_t i = bloc; i < nodes_.size(); i += blocs_.size()) {
      if (!nodes_[i].flock || nodes_[i].revoked) continue;
      const auto known = nodes_[i].flock->sealed_leader(LocalNow(i));
      if (!known || known->leader != own->leader || known->epoch != own->epoch) return false;
    }
  }
  return true;
}

std::vector<std::string> Cluster::Violations() const {
  std::vector<std::string> all;
  for (const Bloc& bloc : blocs_) {
    const auto& some = bloc.invariants.violations();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::uint64_t Cluster::violation_count() const {
  std::uint64_t count = 0;
  for (const Bloc& bloc : blocs_) count += bloc.invariants.violation_count();
  return count;
}

}  // namespace radix::sim
