// Which instance is the best one to call.

#pragma once

#include <string>
#include <vector>

#include "services/registry/instance.h"

namespace radix::registry {

// Who asks, and for what.
struct Choice {
  std::string node;               // the caller's own, whose instances come first among equals
  bool include_draining = false;  // otherwise they are left out
};

// Puts instances best first: serving before draining; then the lexicographically greatest inst;
// then those of the caller's own node; then in an order that depends only on (caller's node,
// instance), so that callers on many nodes spread over the instances, and that stays as it is when
// others come and go (rendezvous hashing: Thaler and Ravishankar, 1998). The dead are left out.
std::vector<Instance> BestFirst(std::vector<Instance> instances, const Choice& choice);

}  // namespace radix::registry
