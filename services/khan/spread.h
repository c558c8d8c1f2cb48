// Spreads the instances of one service over the nodes of a set.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace radix::khan {

// One node that may get instances.
struct Candidate {
  const std::string* name = nullptr;  // never null
  std::int64_t present = 0;           // instances of the service that it has; not negative
};

// Gives `total` instances of `service` to `candidates`; element i of the result is the i-th one's
// share. No share is above ceil(total / candidates), and the shares sum to `total`, or are all 0
// without candidates. What is present stays as far as that allows. Of what is left to choose, nodes
// with the fewest instances come first, and among equals the rendezvous order of (service, node):
// each service has its own, and a node that comes or goes changes only its own share of it.
// Requires: 0 <= total <= 1,000,000.
std::vector<std::int64_t> Spread(const std::string& service, std::int64_t total,
                                 const std::vector<Candidate>& candidates);

}  // namespace radix::khan
