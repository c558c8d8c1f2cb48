// Runs a khan program against the nodes there are.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "services/khan/program.h"

namespace radix::khan {

// What a program is run against.
struct Situation {
  // The nodes that may be chosen, by name, with their labels.
  std::map<std::string, std::set<std::string>> nodes;
  // Instances that exist already, by service and node. Nodes that are not in `nodes` are ignored.
  std::map<std::string, std::map<std::string, std::int64_t>> present;
};

// What one pick came to.
struct Placement {
  std::int64_t want = 0;                      // instances asked for
  std::map<std::string, std::int64_t> nodes;  // instances by node; none is 0
  std::string problem;  // why fewer are placed than asked for; empty when all are
  Position at;          // of the pick
};

// The most instances that one pick may ask for; a larger count places nothing, with a problem.
inline constexpr std::int64_t kInstancesMax = 1'000'000;

// The placement of every service that `program` picks, by service. Never fails: what cannot be
// placed (an empty set, a division by a size that is 0) is said in `problem`. A count below zero is
// zero. The same arguments give the same result, on every machine.
std::map<std::string, Placement> Evaluate(const Program& program, const Situation& situation);

}  // namespace radix::khan
