// From what is asked for and what is there to what each node is to run.

#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/proctor/nodes.h"

namespace radix::proctor {

// What one node is to run, besides its own built-in list.
struct Assignment {
  std::vector<PluginSpec> run;     // by id
  std::set<std::string> keep_ids;  // must not be stopped yet, though they are not in `run`

  bool operator==(const Assignment&) const = default;
};

// The assignment of each connected node. A pure function of what it is given: it is computed again
// whenever something changes, and nothing is remembered between.
//
// Starts come before stops. A service that is to run n times keeps so many of the instances that it
// should no longer have (an earlier version, or on another node) that, with those of the wanted
// that serve, there are n: those that serve before those that only run, so that a registry that
// begins anew stops nothing; what does not even run is given up at once. A service that nobody asks
// for, or that is wanted 0 times, keeps nothing. Nodes that are lost get no assignment and keep
// what they run.
std::map<std::string, Assignment> Plan(const std::vector<PlacedService>& services,
                                       const Nodes& nodes);

}  // namespace radix::proctor
