// Revocation, as the group's decisions bring it to each node at a time of its own.

#include <algorithm>
#include <cassert>
#include <vector>

#include "tests/sim/cluster.h"

namespace radix::sim {
namespace {

// A lease, by clocks that go wrong by 1 %; and what was under way.
constexpr Duration kLeasesEnd = 3200ms;

}  // namespace

void Cluster::Revoke(std::size_t i) {
  assert(nodes_[i].fingerprint != 0);
  nodes_[i].revoked = true;
}

void Cluster::TellRevoked(std::size_t i) {
  Node& node = nodes_[i];
  assert(node.flock && !node.paused);
  std::vector<std::uint64_t> fingerprints;
  for (const Node& other : nodes_) {
    if (other.revoked && other.bloc == node.bloc) fingerprints.push_back(other.fingerprint);
  }
  node.knows_revoked = fingerprints;
  node.flock->SetRevoked(std::move(fingerprints), LocalNow(i));
  Drain(i);
  NoteWhoMayNotLead(node.bloc);
}

bool Cluster::KnowsRevoked(std::size_t i, std::size_t subject) const {
  return std::ranges::count(nodes_[i].knows_revoked, nodes_[subject].fingerprint) > 0;
}

void Cluster::NoteWhoMayNotLead(std::size_t bloc) {
  const Charter& charter = blocs_[bloc].charter;
  for (std::size_t i = bloc; i < nodes_.size(); i += blocs_.size()) {
    if (!nodes_[i].revoked) continue;
    // Who has no disk may forget it.
    std::uint32_t would_grant = 0;
    for (std::size_t other = bloc; other < nodes_.size(); other += blocs_.size()) {
      if (!KnowsRevoked(other, i) || !nodes_[other].has_disk) ++would_grant;
    }
    if (would_grant < charter.quorum) blocs_[bloc].invariants.MayNotLead(i, now_ + kLeasesEnd);
  }
}

}  // namespace radix::sim
